import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadServiceConfig } from '../../../src/service/config.ts'
import { CHART, find, kinds, podOf, render, serviceConfig, serviceEnv } from './helm.ts'

const graceOf = (mode: string, changes: readonly string[] = []): number =>
  podOf(render(mode, changes), 'Deployment/ingot').spec.terminationGracePeriodSeconds

describe('the deployment', () => {
  test('never has too few ready pods during a rollout', () => {
    const { spec } = find(render('postgres'), 'Deployment', 'ingot')
    expect(spec).toMatchObject({ replicas: 3, strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } })
  })

  test('has no number of pods if there is an autoscaler', () => {
    const manifests = render('external')
    expect(find(manifests, 'Deployment', 'ingot').spec).not.toHaveProperty('replicas')
    expect(find(manifests, 'HorizontalPodAutoscaler', 'ingot').spec).toMatchObject({ minReplicas: 2, maxReplicas: 4 })
  })

  test('has an autoscaler with the metrics of the values', () => {
    expect(find(render('everything'), 'HorizontalPodAutoscaler', 'ingot-all').spec).toMatchObject({
      metrics: [
        { resource: { name: 'memory', target: { type: 'Utilization', averageUtilization: 80 } } },
        { pods: { metric: { name: 'ingot_pending_items' } } },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 600 } },
    })
    const both = render('external', ['service.autoscaling.targetMemoryUtilizationPercentage=60'])
    const { metrics } = find(both, 'HorizontalPodAutoscaler', 'ingot').spec as { metrics: unknown[] }
    expect(metrics).toMatchObject([{ resource: { name: 'cpu' } }, { resource: { name: 'memory' } }])
  })

  test('has environment from existing Secrets and ConfigMaps', () => {
    const [container] = podOf(render('everything'), 'Deployment/ingot-all').spec.containers
    expect(container).toMatchObject({ envFrom: [{ configMapRef: { name: 'ingot-extra' } }] })
  })

  test('gets SIGTERM only after nodes send it no new connections', () => {
    const [container] = podOf(render('postgres'), 'Deployment/ingot').spec.containers
    expect(container?.lifecycle?.preStop?.sleep).toEqual({ seconds: 5 })
  })

  test.each([
    ['postgres', [], 5 + 15 + 25 + 10],
    ['legacy', [], 5 + 3 + 60 + 10],
    ['postgres', ['service.preStopSeconds=0', 'service.config.drain="0.5h"'], 15 + 1_800 + 10],
  ] as const)('gives the pod the time to drain: %s %j', (mode, changes, seconds) => {
    expect(graceOf(mode, changes)).toBe(seconds)
  })

  test('restarts only if its configuration changes', () => {
    const checksum = (changes: readonly string[]): string | undefined =>
      podOf(render('postgres', changes), 'Deployment/ingot').meta.annotations?.['checksum/config']
    expect(checksum(['service.config.maxDepth=7'])).not.toBe(checksum([]))
    expect(checksum(['service.port=81'])).toBe(checksum([]))
  })

  test('is spread over zones and nodes', () => {
    const { topologySpreadConstraints } = podOf(render('postgres'), 'Deployment/ingot').spec
    expect(topologySpreadConstraints?.map(({ topologyKey }) => topologyKey)).toEqual([
      'topology.kubernetes.io/zone',
      'kubernetes.io/hostname',
    ])
  })

  test('has a disruption budget if there are several pods', () => {
    expect(find(render('postgres'), 'PodDisruptionBudget', 'ingot').spec).toMatchObject({ maxUnavailable: 1 })
    expect(kinds(render('legacy'), 'PodDisruptionBudget')).not.toContain('ingot')
  })
})

describe('the configuration', () => {
  test.each(['postgres', 'external', 'http', 'legacy'])('is valid for the service: %s', (mode) => {
    // in this mode the URL of the store is in a Secret, so the test adds one
    const secrets = { INGOT_STORE_URL: 'postgres://user:password@host/database' }
    const file = serviceConfig(render(mode))
    const environment = Object.entries(file).map(([key, value]) => [settingName(key), String(value)])
    const config = loadServiceConfig({ ...secrets, ...(Object.fromEntries(environment) as Record<string, string>) })
    expect(config).toMatchObject({ listen: '0.0.0.0:8080', ...file })
  })

  test('accepts settings by their names', () => {
    expect(serviceConfig(render('legacy'))).toMatchObject({ drain: '1m', maxPendingBytes: 134_217_728 })
  })
})

function settingName(key: string): string {
  return `INGOT_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

describe('access', () => {
  test('is by default for a token that the chart generates; the service has only its hash', () => {
    const manifests = render('postgres')
    const { token = '', 'tokens.json': tokens = '' } = find(manifests, 'Secret', 'ingot-token').stringData
    expect(token).toMatch(/^[A-Za-z0-9]{40}$/)
    expect(JSON.parse(tokens)).toMatchObject({
      tokens: [{ collections: { '*': ['read', 'write', 'delete', 'observe'] } }],
    })
    expect(tokens).not.toContain(token)
    const { spec } = podOf(manifests, 'Deployment/ingot')
    expect(spec).toMatchObject({
      volumes: expect.arrayContaining([
        expect.objectContaining({
          secret: { secretName: 'ingot-token', items: [{ key: 'tokens.json', path: 'tokens.json' }] },
        }),
      ]) as unknown[],
    })
    expect(serviceConfig(manifests)).toMatchObject({ tokensFile: '/etc/ingot/tokens/tokens.json' })
  })

  test('has a token for drills that covers only their collection', () => {
    const { stringData } = find(render('postgres', ['drills.enabled=true']), 'Secret', 'ingot-token')
    const drill = stringData['drill-token'] ?? ''
    expect(drill).toMatch(/^[A-Za-z0-9]{40}$/)
    const { tokens } = JSON.parse(stringData['tokens.json'] ?? '') as { tokens: readonly Record<string, unknown>[] }
    expect(tokens.find(({ name }) => name === 'drill')).toEqual({
      name: 'drill',
      sha256: createHash('sha256').update(drill).digest('hex'),
      collections: { 'ingot-drill': ['read', 'write', 'delete'] },
    })
    expect(find(render('postgres'), 'Secret', 'ingot-token').stringData).not.toHaveProperty('drill-token')
  })

  test('can be for existing tokens', () => {
    expect(kinds(render('external'), 'Secret')).not.toContain('ingot-token')
    expect(JSON.stringify(podOf(render('external'), 'Deployment/ingot'))).toContain('"secretName":"ingot-tokens"')
  })

  test('is open if access.mode is off', () => {
    const manifests = render('legacy')
    expect(serviceConfig(manifests)).toMatchObject({ access: 'off' })
    expect(serviceConfig(manifests)).not.toHaveProperty('tokensFile')
    expect(kinds(manifests, 'Secret')).not.toContain('ingot-token')
  })
})

describe('the store', () => {
  test('postgres: one pod with a volume, its password in a Secret that outlives the release', () => {
    const manifests = render('postgres')
    expect(find(manifests, 'StatefulSet', 'ingot-postgres').spec).toMatchObject({ replicas: 1 })
    expect(find(manifests, 'Secret', 'ingot-postgres').metadata.annotations).toEqual({
      'helm.sh/resource-policy': 'keep',
    })
    const env = serviceEnv(manifests)
    expect(env.get('INGOT_STORE_URL')?.value).toBe('postgres://ingot:$(POSTGRES_PASSWORD)@ingot-postgres:5432/ingot')
    // Kubernetes expands $(NAME) only if NAME comes first
    const names = [...env.keys()]
    expect(names.indexOf('POSTGRES_PASSWORD')).toBeLessThan(names.indexOf('INGOT_STORE_URL'))
  })

  test('external: a DSN from a Secret, and another one that bypasses the pooler', () => {
    const manifests = render('external')
    const env = serviceEnv(manifests)
    const ref = (name: string) => env.get(name)?.valueFrom?.secretKeyRef
    expect(ref('INGOT_STORE_URL')).toEqual({ name: 'ingot-database', key: 'dsn' })
    expect(ref('INGOT_STORE_DIRECT_URL')).toEqual({ name: 'ingot-database', key: 'direct-dsn' })
    expect(ref('INGOT_LOCK_FENCES')).toEqual({ name: 'ingot-database', key: 'dsn' })
    expect(kinds(manifests, 'StatefulSet')).not.toContain('ingot-postgres')
  })

  test('http: a URL, a mapping, and credentials from a Secret', () => {
    const manifests = render('http')
    expect(serviceConfig(manifests)).toMatchObject({
      storeUrl: 'https://backend.example/api',
      storeMapping: '/etc/ingot/config/mapping.json',
    })
    const mapping = find(manifests, 'ConfigMap', 'ingot').data['mapping.json'] ?? ''
    expect(JSON.parse(mapping)).toMatchObject({ save: { method: 'PUT' } })
    const [container] = podOf(manifests, 'Deployment/ingot').spec.containers
    expect(container).toMatchObject({ envFrom: [{ secretRef: { name: 'backend-login' } }] })
    expect(serviceEnv(manifests).get('INGOT_LOCK_URL')?.value).toBe('redis://redis.example')
  })

  test.each([
    ['existingSecret', 'secret', 'secretName'],
    ['existingConfigMap', 'configMap', 'name'],
  ])('http: trusts the authority of %s', (value, source, name) => {
    const manifests = render('http', [`store.http.ca={"${value}":"authority","key":"root.pem"}`])
    const { spec } = podOf(manifests, 'Deployment/ingot')
    const items = [{ key: 'root.pem', path: 'ca.crt' }]
    expect((spec as unknown as { volumes: unknown[] }).volumes).toContainEqual({
      name: 'store-ca',
      [source]: { [name]: 'authority', items },
    })
    expect(spec.containers[0]).toMatchObject({
      volumeMounts: expect.arrayContaining([
        { name: 'store-ca', mountPath: '/etc/ingot/store-ca', readOnly: true },
      ]) as unknown[],
    })
    expect(serviceConfig(manifests)).toMatchObject({ storeCa: '/etc/ingot/store-ca/ca.crt' })
  })

  test('http without a URL: the legacy backend, with the mapping of the example', () => {
    const manifests = render('legacy')
    expect(serviceConfig(manifests)).toMatchObject({ storeUrl: 'http://ingot-legacy:9090' })
    const example = readFileSync(join(CHART, '..', '..', 'examples', 'legacy-backend', 'mapping.json'), 'utf8')
    expect(JSON.parse(find(manifests, 'ConfigMap', 'ingot').data['mapping.json'] ?? '')).toEqual(JSON.parse(example))
    expect(find(manifests, 'Deployment', 'ingot-legacy').spec).toMatchObject({
      replicas: 1,
      strategy: { type: 'Recreate' },
    })
    expect(serviceEnv(manifests).get('INGOT_LOCK_FENCES')?.value).toContain('@ingot-postgres:5432/')
  })
})

test('the service has the URL and the password of the cache', () => {
  const env = serviceEnv(render('cluster'))
  expect(env.get('INGOT_CACHE_URL')?.value).toBe('redis://ingot:$(CACHE_PASSWORD)@ingot-cache:6379')
  const names = [...env.keys()]
  expect(names.indexOf('CACHE_PASSWORD')).toBeLessThan(names.indexOf('INGOT_CACHE_URL'))
  expect(serviceEnv(render('postgres')).has('INGOT_CACHE_URL')).toBe(false)
})

describe('the service', () => {
  test('is a ClusterIP, a NodePort or a LoadBalancer', () => {
    const of = (mode: string): unknown => find(render(mode), 'Service', 'ingot').spec
    expect(of('postgres')).toMatchObject({ type: 'ClusterIP', ports: [{ port: 80, targetPort: 'http' }] })
    expect(of('legacy')).toMatchObject({ type: 'NodePort', ports: [{ nodePort: 30_080 }] })
    expect(of('external')).toMatchObject({ type: 'LoadBalancer' })
  })

  test('has the fields of a Service that are set, and no others', () => {
    expect(find(render('everything'), 'Service', 'ingot-all')).toMatchObject({
      metadata: { annotations: { 'lb.example/internal': 'true' } },
      spec: {
        type: 'LoadBalancer',
        ports: [{ nodePort: 30_081 }],
        loadBalancerClass: 'example.org/lb',
        loadBalancerSourceRanges: ['192.0.2.0/24', '2001:db8::/32'],
        externalTrafficPolicy: 'Local',
        internalTrafficPolicy: 'Cluster',
        ipFamilyPolicy: 'PreferDualStack',
        ipFamilies: ['IPv4'],
      },
    })
    expect(Object.keys(find(render('postgres'), 'Service', 'ingot').spec)).toEqual(['type', 'selector', 'ports'])
  })

  test('can have any node port', () => {
    const { spec } = find(render('postgres', ['service.type="NodePort"']), 'Service', 'ingot')
    expect(spec).toMatchObject({ type: 'NodePort' })
    expect(spec['ports']).toEqual([{ name: 'http', port: 80, targetPort: 'http' }])
  })

  test('is named after the release', () => {
    expect(kinds(render('postgres', [], 'shop'), 'Deployment')).toEqual(['shop-ingot'])
    expect(kinds(render('postgres', [], 'my-ingot'), 'Deployment')).toEqual(['my-ingot'])
  })

  test('runs the image of this version by default', () => {
    const imageOf = (changes: readonly string[]): string | undefined =>
      podOf(render('postgres', changes), 'Deployment/ingot').spec.containers[0]?.image
    const { version } = JSON.parse(readFileSync(join(CHART, '..', '..', 'package.json'), 'utf8')) as { version: string }
    expect(imageOf([])).toBe(`ingot:${version}`)
    expect(imageOf(['image.repository="r.example/ingot"', 'image.tag="dev"'])).toBe('r.example/ingot:dev')
  })

  test('does not change the tag of the legacy backend', () => {
    const imageOf = (changes: readonly string[]): string | undefined =>
      podOf(render('legacy', changes), 'Deployment/ingot-legacy').spec.containers[0]?.image
    expect(imageOf(['image.tag="next"'])).toBe('ingot:next')
    expect(imageOf(['image.tag="next"', 'legacyBackend.imageTag="now"'])).toBe('ingot:now')
  })
})
