/** Tests that the manifests of k8s/ match the chart. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CHART, chartIn, find, type Manifest, podOf, readManifests, render, serviceConfig } from './helm.ts'

const FOLDER = join(CHART, '..', '..', 'k8s')

const read = (file: string): readonly Manifest[] => readManifests(readFileSync(join(FOLDER, file), 'utf8'))

const service = read('ingot.yaml')

describe('k8s/ingot.yaml', () => {
  test('has the pod of the chart', () => {
    const ours = podOf(service, 'Deployment/ingot').spec
    const [container] = ours.containers
    const charts = podOf(render('external'), 'Deployment/ingot').spec
    const [wanted] = charts.containers
    // Secrets have other names there, and pods without volumes need no fsGroup
    const { env: _ours, ...mine } = { ...container }
    const { env: _charts, imagePullPolicy: _policy, ...theirs } = { ...wanted }
    expect(mine).toEqual(theirs)
    const { fsGroup: _group, fsGroupChangePolicy: _change, ...security } = charts.securityContext
    expect(ours.securityContext).toEqual(security)
    expect(ours.terminationGracePeriodSeconds).toBe(charts.terminationGracePeriodSeconds)
    expect(find(service, 'Deployment', 'ingot').spec['strategy']).toMatchObject({
      rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
    })
  })

  test('has the settings of the chart', () => {
    const { drain = '25s', ...config } = serviceConfig(render('postgres'))
    expect(serviceConfig(service)).toEqual({ ...config, drain })
  })

  test.each(['external.yaml', 'cloudnative-pg.yaml'])('%s uses the Secret of its store', (file) => {
    const [container] = podOf(service, 'Deployment/ingot').spec.containers
    const ref = (name: string) => container?.env?.find((entry) => entry.name === name)?.valueFrom?.secretKeyRef
    expect(ref('INGOT_STORE_URL')).toEqual({ name: 'ingot-store-app', key: 'uri' })
    const manifests = read(file)
    if (file === 'external.yaml') {
      expect(find(manifests, 'Secret', 'ingot-store-app').stringData['uri']).toMatch(/^postgres:/)
      expect(find(manifests, 'Secret', 'ingot-lock').stringData['url']).toMatch(/^redis\+sentinel:/)
      expect(JSON.parse(find(manifests, 'Secret', 'ingot-tokens').stringData['tokens.json'] ?? '')).toMatchObject({
        tokens: [{ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string }],
      })
    } else {
      // the operator names the Secret of the owner CLUSTER-app
      expect(find(manifests, 'Cluster', 'ingot-store').spec).toMatchObject({
        instances: 3,
        bootstrap: { initdb: { database: 'ingot', owner: 'ingot' } },
        postgresql: { synchronous: { method: 'any', number: 1, dataDurability: 'required' } },
      })
    }
  })
})

describe('k8s/operator.yaml', () => {
  const ours = read('operator.yaml')
  const chart = chartIn(join(CHART, '..', 'ingot-operator'), 'ingot-operator').render('default', [
    'rbac.aggregate=false',
  ])

  /** Names the release in nothing, as the plain manifests do. */
  const plain = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value)
        .replaceAll('"app.kubernetes.io/instance":"ingot-operator",', '')
        .replaceAll('"app.kubernetes.io/part-of":"ingot"', '')
        .replaceAll(/,(?=})/g, '')
        .replaceAll('serviceaccount:shop:', 'serviceaccount:ingot-system:')
        .replaceAll('shop:ingot-operator', 'ingot-operator')
        .replaceAll('shop.ingot-operator', 'ingot-system.ingot-operator')
        .replaceAll('"namespace":"shop"', '"namespace":"ingot-system"'),
    )

  /** Everything but the labels and the defaults of Kubernetes. */
  const essence = ({ metadata: { name }, ...rest }: Manifest): unknown => {
    const { revisionHistoryLimit: _limit, ...spec } = rest.spec ?? {}
    return plain({ ...rest, name, spec })
  }

  test('has the objects of the chart', () => {
    const wanted = chart.filter(({ kind }) => kind !== 'CustomResourceDefinition').map(essence)
    const [namespace, ...others] = ours
    expect(namespace).toMatchObject({ kind: 'Namespace', metadata: { name: 'ingot-system' } })
    expect(others.map(essence)).toEqual(expect.arrayContaining(wanted))
    expect(others).toHaveLength(wanted.length)
  })

  test('has a namespace in every object that can have one', () => {
    for (const { kind, metadata } of ours) {
      const { namespace } = metadata as { readonly namespace?: string }
      expect(namespace, kind).toBe(/^(Cluster|Namespace|ValidatingAdmission)/.test(kind) ? undefined : 'ingot-system')
    }
  })
})
