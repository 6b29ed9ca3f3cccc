/** Tests the rendered Redis: the properties on which locks depend, in each mode. kind/ tests its behavior under faults. */
import { describe, expect, test } from 'vitest'
import { containers, find, type Manifest, pods, refusal, render } from './helm.ts'

const conf = (mode: string, changes: readonly string[] = []): string =>
  find(render(mode, changes), 'ConfigMap', 'ingot-redis').data['redis.conf'] ?? ''

const set = (manifests: readonly Manifest[], name: string): Record<string, unknown> =>
  find(manifests, 'StatefulSet', name).spec

const lockUrl = (mode: string, changes: readonly string[] = []): string | undefined => {
  const service = pods(render(mode, changes)).find(({ owner }) => owner === 'Deployment/ingot')
  const [container] = service === undefined ? [] : containers(service)
  return container?.env?.find(({ name }) => name === 'INGOT_LOCK_URL')?.value
}

const SENTINEL = 'postgres' // the default
const DOMAIN = 'shop.svc.cluster.local'

describe('the configuration of Redis', () => {
  test.each([SENTINEL, 'cluster', 'standalone'])('never loses or evicts locks, with the values %s', (mode) => {
    const lines = conf(mode).split('\n')
    expect(lines).toContain('appendonly yes')
    expect(lines).toContain('appendfsync always')
    expect(lines).toContain('maxmemory-policy noeviction')
    // 70 % of 256Mi
    expect(lines).toContain('maxmemory 187904819')
  })

  test('requires a replica only if another one may be missing', () => {
    expect(conf(SENTINEL)).toContain('min-replicas-to-write 1\n')
    expect(conf(SENTINEL, ['redis.replicas=2'])).toContain('min-replicas-to-write 0\n')
    expect(conf('cluster')).toContain('min-replicas-to-write 0\n')
    expect(conf('cluster', ['redis.cluster.replicasPerMaster=2'])).toContain('min-replicas-to-write 1\n')
    expect(conf('standalone')).toContain('min-replicas-to-write 0\n')
  })

  test('enables host names before Sentinel monitors a primary, and in a cluster', () => {
    const sentinel = find(render(SENTINEL), 'ConfigMap', 'ingot-redis').data['sentinel.conf']
    expect(sentinel).toContain('sentinel resolve-hostnames yes\nsentinel announce-hostnames yes')
    expect(conf('cluster')).toContain('cluster-preferred-endpoint-type hostname')
  })

  test('refuses a memory limit that it cannot parse', () => {
    expect(refusal(SENTINEL, ['redis.resources.limits.memory="1.5Gi"'])).toContain(
      'redis.resources.limits.memory is "1.5Gi": write a whole number with Ki, Mi or Gi',
    )
  })

  test('allows only TLS if it is enabled', () => {
    const changes = ['redis.tls.enabled=true']
    expect(conf('cluster', changes)).toContain('port 0\ntls-port 6379')
    expect(conf('cluster', changes)).toContain('tls-replication yes\ntls-cluster yes')
    expect(lockUrl(SENTINEL, changes)).toMatch(/&tls=true&ca=\/etc\/ingot\/redis-tls\/ca\.crt$/)
    expect(Object.keys(find(render(SENTINEL, changes), 'Secret', 'ingot-redis-tls').data)).toEqual([
      'ca.crt',
      'tls.crt',
      'tls.key',
    ])
  })
})

describe('the pods of Redis', () => {
  test('start together, and find each other before they are ready', () => {
    for (const name of ['ingot-redis', 'ingot-sentinel']) {
      expect(set(render(SENTINEL), name)).toMatchObject({ podManagementPolicy: 'Parallel', replicas: 3 })
      const service = find(render(SENTINEL), 'Service', `${name}-headless`).spec
      expect(service).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true })
    }
    expect(set(render('cluster'), 'ingot-redis')).toMatchObject({ replicas: 6 })
  })

  test('may be evicted one at a time, and always if they are unhealthy', () => {
    for (const name of ['ingot-redis', 'ingot-sentinel']) {
      expect(find(render(SENTINEL), 'PodDisruptionBudget', name).spec).toMatchObject({
        maxUnavailable: 1,
        unhealthyPodEvictionPolicy: 'AlwaysAllow',
      })
    }
  })

  test('hand over before they end, and have the time for it', () => {
    for (const mode of [SENTINEL, 'cluster']) {
      const pod = pods(render(mode, ['redis.handoverSeconds=45'])).find(({ owner }) => owner.endsWith('/ingot-redis'))
      expect(pod?.spec.terminationGracePeriodSeconds).toBeGreaterThan(45)
      expect(pod?.spec.containers[0]?.lifecycle).toEqual({
        preStop: { exec: { command: ['/etc/ingot/redis/handover.sh'] } },
      })
    }
  })

  test.each([SENTINEL, 'cluster', 'standalone'])(
    'have a second container that is restarted alone, with the values %s',
    (mode) => {
      const servers = pods(render(mode)).filter(({ owner }) => /^StatefulSet\/ingot-(redis|sentinel)$/.test(owner))
      expect(servers.length).toBeGreaterThan(0)
      for (const pod of servers) {
        const [server, keeper] = pod.spec.containers
        const component = pod.owner.endsWith('sentinel') ? 'sentinel' : 'redis'
        expect(server?.name).toBe(component)
        expect(keeper).toMatchObject({
          name: 'keeper',
          command: ['/etc/ingot/redis/keeper.sh', component],
          livenessProbe: { exec: { command: ['/etc/ingot/redis/probe.sh', 'keeper'] } },
        })
      }
    },
  )

  test('of Sentinel never share a node by default', () => {
    const affinity = (changes: readonly string[]): unknown =>
      set(render(SENTINEL, changes), 'ingot-sentinel')['template']
    expect(JSON.stringify(affinity([]))).toContain('requiredDuringSchedulingIgnoredDuringExecution')
    expect(JSON.stringify(affinity(['redis.sentinel.hardAntiAffinity=false']))).not.toContain('podAntiAffinity')
  })

  test('run Valkey with another image and two commands', () => {
    const changes = [
      'redis.image={"repository":"valkey/valkey","tag":"8.1"}',
      'redis.commands={"server":"valkey-server","cli":"valkey-cli"}',
    ]
    const pod = pods(render(SENTINEL, changes)).find(({ owner }) => owner.endsWith('/ingot-redis'))
    expect(pod?.spec.containers[0]?.image).toBe('valkey/valkey:8.1')
    expect(pod?.spec.containers[0]?.env).toContainEqual({ name: 'REDIS_SERVER', value: 'valkey-server' })
  })
})

describe('the service connects to', () => {
  test('the primary through the names of all Sentinels, with the password from the Secret', () => {
    const hosts = [0, 1, 2].map((n) => `ingot-sentinel-${n}.ingot-sentinel-headless.${DOMAIN}:26379`).join(',')
    const login = 'sentinel-user=ingot&sentinel-password=$(LOCK_PASSWORD)'
    expect(lockUrl(SENTINEL)).toBe(`redis+sentinel://ingot:$(LOCK_PASSWORD)@${hosts}/ingot?${login}`)
  })

  test('the cluster through the names of all its pods', () => {
    const hosts = [0, 1, 2, 3, 4, 5].map((n) => `ingot-redis-${n}.ingot-redis-headless.${DOMAIN}:6379`).join(',')
    expect(lockUrl('cluster')).toBe(`redis+cluster://ingot:$(LOCK_PASSWORD)@${hosts}`)
  })
})

test('the cache is a separate server that evicts', () => {
  const manifests = render(SENTINEL, ['cache.enabled=true'])
  const cache = find(manifests, 'ConfigMap', 'ingot-redis').data['cache.conf'] ?? ''
  expect(cache).toContain('maxmemory-policy allkeys-lru')
  expect(cache).toContain('appendonly no')
  expect(find(manifests, 'Deployment', 'ingot-cache').spec).toMatchObject({ replicas: 1 })
})
