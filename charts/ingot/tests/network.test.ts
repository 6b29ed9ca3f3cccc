/** Tests the rendered network policies. `npm run test:chart-kind` tests their enforcement on a cluster. */
import { describe, expect, test } from 'vitest'
import { find, kinds, render } from './helm.ts'

const OURS = { 'app.kubernetes.io/name': 'ingot', 'app.kubernetes.io/instance': 'ingot' }

const policy = (mode: string, name: string): Record<string, unknown> => find(render(mode), 'NetworkPolicy', name).spec

const NOT_ISOLATED = { key: 'ingot.dev/isolated', operator: 'DoesNotExist' }

describe('network policies', () => {
  test('allow only DNS by default, for all pods of the release', () => {
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

  test('admit only the service and the canary to Postgres', () => {
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

  test('leave a pod that a drill cuts off to the default policy, which admits nothing', () => {
    for (const name of ['ingot', 'ingot-redis', 'ingot-postgres']) {
      const { podSelector } = policy('postgres', name) as { podSelector: { matchExpressions: unknown[] } }
      expect(podSelector.matchExpressions).toContainEqual(NOT_ISOLATED)
    }
    const { podSelector } = policy('postgres', 'ingot-default') as { podSelector: { matchExpressions: unknown[] } }
    expect(podSelector.matchExpressions).not.toContainEqual(NOT_ISOLATED)
  })

  test('admit only users of Redis to Redis, Sentinel and the cache', () => {
    const { podSelector, ingress } = policy('cluster', 'ingot-redis') as { podSelector: unknown; ingress: unknown }
    const among = (values: string[], ...more: readonly object[]) => ({
      matchLabels: OURS,
      matchExpressions: [{ key: 'app.kubernetes.io/component', operator: 'In', values }, ...more],
    })
    expect(podSelector).toEqual(among(['redis', 'sentinel', 'cache'], NOT_ISOLATED))
    expect(ingress).toEqual([{ from: [{ podSelector: among(['service', 'redis', 'sentinel', 'canary', 'test']) }] }])
  })

  test('allow no egress to the outside unless the store or Redis is outside', () => {
    const inside = [{ to: [{ podSelector: { matchLabels: OURS } }] }]
    expect(policy('postgres', 'ingot')['egress']).toEqual(inside)
    expect(policy('external', 'ingot')['egress']).toEqual([...inside, {}])
  })

  test('have the peers and rules of the values', () => {
    const { ingress, egress } = policy('http', 'ingot') as { ingress: [{ from: unknown[] }]; egress: unknown[] }
    expect(ingress[0].from).toContainEqual({ namespaceSelector: { matchLabels: { team: 'loaders' } } })
    expect(egress.at(-1)).toMatchObject({ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }], ports: [{ port: 443 }] })
    expect(egress).not.toContainEqual({})
  })

  test('admit the controllers of Ingress and Gateway in addition to the listed peers', () => {
    const { ingress } = policy('everything', 'ingot-all') as { ingress: [{ from: unknown[] }] }
    const namespace = (name: string) => ({
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
    })
    expect(ingress[0].from).toEqual([
      { podSelector: { matchLabels: OURS } },
      { namespaceSelector: { matchLabels: { team: 'loaders' } } },
      { namespaceSelector: { matchLabels: { team: 'monitoring' } } },
      namespace('ingress-nginx'),
      namespace('gateways'),
    ])
    // without a list of allowed clients the policy admits every client, ingress controllers included
    const open = find(render('postgres', ['ingress.controllerNamespace="x"']), 'NetworkPolicy', 'ingot').spec
    expect(open['ingress']).toEqual([{ ports: [{ port: 'http' }] }])
  })

  test('admit the listed readers of metrics to the exporter of Redis, and all clients without a list', () => {
    const { podSelector, ingress } = policy('everything', 'ingot-all-redis-exporter')
    expect(podSelector).toMatchObject({ matchLabels: { ...OURS, 'app.kubernetes.io/component': 'redis' } })
    const ports = [{ port: 'exporter' }]
    expect(ingress).toEqual([{ ports, from: [{ namespaceSelector: { matchLabels: { team: 'monitoring' } } }] }])
    const open = find(
      render('postgres', ['metrics.redisExporter.enabled=true']),
      'NetworkPolicy',
      'ingot-redis-exporter',
    )
    expect(open.spec['ingress']).toEqual([{ ports }])
    expect(kinds(render('postgres'), 'NetworkPolicy')).not.toContain('ingot-redis-exporter')
  })

  test('admit the export to the service', () => {
    expect(policy('everything', 'ingot-all-clients')['podSelector']).toMatchObject({
      matchExpressions: [{ values: ['canary', 'export', 'test'] }],
    })
  })

  test('can be disabled', () => {
    expect(kinds(render('legacy'), 'NetworkPolicy')).toEqual([])
  })
})
