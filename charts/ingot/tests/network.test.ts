/** What the policies say; that a network enforces them is shown on a real cluster (npm run test:chart-kind). */
import { describe, expect, test } from 'vitest'
import { find, kinds, render } from './helm.ts'

const OURS = { 'app.kubernetes.io/name': 'ingot', 'app.kubernetes.io/instance': 'ingot' }

const policy = (mode: string, name: string): Record<string, unknown> => find(render(mode), 'NetworkPolicy', name).spec

describe('network policies', () => {
  test('begin with nothing but names, for all pods of the release', () => {
    expect(policy('postgres', 'ingot-default')).toMatchObject({
      podSelector: { matchLabels: OURS },
      policyTypes: ['Ingress', 'Egress'],
      egress: [
        {
          ports: [
            { port: 53, protocol: 'UDP' },
            { port: 53, protocol: 'TCP' },
          ],
        },
      ],
    })
    expect(policy('postgres', 'ingot-default')).not.toHaveProperty('ingress')
  })

  test('let the service and the canary reach Postgres, and nobody else', () => {
    expect(policy('postgres', 'ingot-postgres')['ingress']).toEqual([
      {
        ports: [{ port: 'postgres' }],
        from: [
          {
            podSelector: {
              matchLabels: OURS,
              matchExpressions: [{ key: 'app.kubernetes.io/component', operator: 'In', values: ['service', 'canary'] }],
            },
          },
        ],
      },
    ])
  })

  test('let who uses Redis reach it, its Sentinels and the cache, and nobody else', () => {
    const { podSelector, ingress } = policy('cluster', 'ingot-redis') as { podSelector: unknown; ingress: unknown }
    const among = (values: string[]) => ({
      matchLabels: OURS,
      matchExpressions: [{ key: 'app.kubernetes.io/component', operator: 'In', values }],
    })
    expect(podSelector).toEqual(among(['redis', 'sentinel', 'cache']))
    expect(ingress).toEqual([{ from: [{ podSelector: among(['service', 'redis', 'sentinel', 'canary', 'test']) }] }])
  })

  test('keep the service inside unless something of it is outside', () => {
    const inside = [{ to: [{ podSelector: { matchLabels: OURS } }] }]
    expect(policy('postgres', 'ingot')['egress']).toEqual(inside)
    expect(policy('external', 'ingot')['egress']).toEqual([...inside, {}])
  })

  test('are as narrow as one says', () => {
    const { ingress, egress } = policy('http', 'ingot') as { ingress: [{ from: unknown[] }]; egress: unknown[] }
    expect(ingress[0].from).toContainEqual({ namespaceSelector: { matchLabels: { team: 'loaders' } } })
    expect(egress.at(-1)).toMatchObject({ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }], ports: [{ port: 443 }] })
    expect(egress).not.toContainEqual({})
  })

  test('admit the controllers of ingresses and gateways beside those who are named', () => {
    const { ingress } = policy('everything', 'ingot-all') as { ingress: [{ from: unknown[] }] }
    const namespace = (name: string) => ({
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
    })
    expect(ingress[0].from).toEqual([
      { podSelector: { matchLabels: OURS } },
      { namespaceSelector: { matchLabels: { team: 'loaders' } } },
      namespace('ingress-nginx'),
      namespace('gateways'),
    ])
    // without a list of allowed clients the policy admits every client, ingress controllers included
    const open = find(render('postgres', ['ingress.controllerNamespace="x"']), 'NetworkPolicy', 'ingot').spec
    expect(open['ingress']).toEqual([{ ports: [{ port: 'http' }] }])
  })

  test('let the export reach the service', () => {
    expect(policy('everything', 'ingot-all-clients')['podSelector']).toMatchObject({
      matchExpressions: [{ values: ['canary', 'export', 'test'] }],
    })
  })

  test('can be left out', () => {
    expect(kinds(render('legacy'), 'NetworkPolicy')).toEqual([])
  })
})
