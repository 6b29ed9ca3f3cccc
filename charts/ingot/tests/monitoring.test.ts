/** Tests the monitors, and the exporter of Redis. */
import { expect, test } from 'vitest'
import { containers, find, kinds, type Manifest, podOf, refusal, render } from './helm.ts'

interface Endpoint {
  readonly port: string
  readonly path: string
  readonly interval?: string
  readonly relabelings: readonly { readonly targetLabel: string; readonly replacement: string }[]
}

interface MonitorSpec {
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
  readonly endpoints?: readonly Endpoint[]
  readonly podMetricsEndpoints?: readonly Endpoint[]
}

const exporterOf = (manifests: readonly Manifest[], owner: string) =>
  containers(podOf(manifests, owner)).find(({ name }) => name === 'exporter')

const KINDS = ['ServiceMonitor', 'PodMonitor', 'PrometheusRule'] as const

test('everything is off by default', () => {
  for (const kind of KINDS) expect(kinds(render('postgres'), kind)).toEqual([])
  expect(exporterOf(render('postgres'), 'StatefulSet/ingot-redis')).toBeUndefined()
})

test('the ServiceMonitor selects the Service, and names its job as the rules do', () => {
  const manifests = render('everything')
  const { metadata, spec } = find(manifests, 'ServiceMonitor', 'ingot-all')
  const { selector, endpoints } = spec as unknown as MonitorSpec
  expect(metadata.labels).toMatchObject({ release: 'prometheus' })
  const selected = manifests.filter(
    ({ kind, metadata: { labels = {} } }) =>
      kind === 'Service' && Object.entries(selector.matchLabels).every(([key, value]) => labels[key] === value),
  )
  expect(selected.map((one) => one.metadata.name)).toEqual(['ingot-all'])
  const relabelings = [{ targetLabel: 'job', replacement: 'ingot-all' }]
  expect(endpoints).toEqual([{ port: 'http', path: '/metrics', interval: '30s', relabelings }])
  expect(selected[0]?.spec).toMatchObject({ ports: [{ name: 'http' }] })
})

test('the PodMonitor selects the Redis pods, whose exporter logs in as the service', () => {
  const manifests = render('everything')
  const { selector, podMetricsEndpoints } = find(manifests, 'PodMonitor', 'ingot-all-redis')
    .spec as unknown as MonitorSpec
  expect(podOf(manifests, 'StatefulSet/ingot-all-redis').meta.labels).toMatchObject(selector.matchLabels)
  const relabelings = [{ targetLabel: 'job', replacement: 'ingot-all-redis' }]
  expect(podMetricsEndpoints).toEqual([{ port: 'exporter', path: '/metrics', interval: '30s', relabelings }])
  const exporter = exporterOf(manifests, 'StatefulSet/ingot-all-redis')
  expect(exporter).toMatchObject({
    image: 'mirror.example/cache/mirror/redis_exporter:v1.75.0',
    command: ['/redis_exporter'],
    ports: [{ name: 'exporter', containerPort: 9121 }],
    resources: { limits: { memory: '80Mi' } },
  })
  expect(exporter?.env).toContainEqual({ name: 'REDIS_ADDR', value: 'rediss://localhost:6379' })
  expect(exporter?.env).toContainEqual({
    name: 'REDIS_PASSWORD',
    valueFrom: { secretKeyRef: { name: 'ingot-redis-passwords', key: 'password' } },
  })
  expect(exporterOf(manifests, 'StatefulSet/ingot-all-sentinel')).toBeUndefined()
})

test('values without effect are refused', () => {
  expect(refusal('external', ['metrics.redisExporter.enabled=true'])).toContain('run an exporter beside that Redis')
  expect(refusal('postgres', ['metrics.podMonitor.enabled=true'])).toContain('set metrics.redisExporter.enabled=true')
})
