/** The report of `status` for a healthy release, and for releases with one fault each. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../kube/client/resource.ts'
import { REDIS_TOPOLOGIES } from '../../operator/kinds/redis-topology.ts'
import {
  factsOf,
  METRICS,
  type ReleaseObjects,
  releaseObjects,
  STATE,
  set,
  setCondition,
} from '../../testing/inspect/release.ts'
import type { Facts, PodState } from '../facts.ts'
import { listAt, textAt } from '../json.ts'
import { TOPOLOGIES } from '../kinds.ts'
import { createPaint } from '../paint.ts'
import { ingotSamples } from '../prometheus-text.ts'
import { releaseAmong } from '../release.ts'
import { statusReport } from './judge.ts'
import { statusText } from './text.ts'
import { newsOf } from './watch.ts'

type Mode = 'sentinel' | 'cluster'

function reportAfter(change: (objects: ReleaseObjects) => void = () => {}, mode: Mode = 'sentinel') {
  const objects = releaseObjects(mode)
  change(objects)
  return statusReport(factsOf(objects))
}

const SERVICE_POD = 'ingot-7c9d5f6b8-aaaaa'
const unready = (pod: KubeObject): void => setCondition(pod, 'Ready', { status: 'False' })

test('the kind is the one of the operator', () => {
  expect(TOPOLOGIES).toEqual(REDIS_TOPOLOGIES)
})

function reportWith(state: PodState['state']) {
  const facts = factsOf(releaseObjects('sentinel'))
  return statusReport({ ...facts, metrics: [], states: read([{ pod: SERVICE_POD, state }]) })
}

const read = <T>(value: T) => ({ kind: 'read', value }) as const

describe('the API of a replica', () => {
  test('shows its state, its store, and its locks', () => {
    const report = reportWith(read(STATE))
    expect(report.healthy).toBe(true)
    expect(report.service.pods.find(({ pod }) => pod === SERVICE_POD)).toMatchObject({
      state: 'serving',
      storeAvailable: true,
      epoch: 'e1',
      breaker: 'closed',
      pendingItems: 7,
      locksHeld: 2,
      locksWaiting: 1,
    })
    expect(statusText(report, createPaint(false))).toMatch(/serving +0\.1\.0 +closed +7 +2 held, 1 wait /)
  })

  test('a store that is not available is a problem', () => {
    const report = reportWith(read({ ...STATE, store: { kind: 'postgres', available: false } }))
    expect(report.problems).toEqual([`${SERVICE_POD}: its store is not available`])
    expect(statusText(report, createPaint(false))).toContain('store away')
  })

  test.for([{}, [], 'text', { pending: { items: 'many' }, breakers: null, locks: 7, store: { available: 'yes' } }])(
    'a response with other fields, such as %j, changes nothing else',
    (odd) => {
      const report = reportWith(read(odd))
      expect(report.healthy).toBe(true)
      expect(report.service.pods.find(({ pod }) => pod === SERVICE_POD)).toMatchObject({ breaker: 'none' })
    },
  )

  test('that could not be asked is named', () => {
    const why = 'port 8080 of shop/a: 401 the token is not valid'
    expect(reportWith({ kind: 'unread', why }).notRead).toEqual([{ part: `status of ${SERVICE_POD}`, why }])
  })
})

describe('a healthy release', () => {
  test('with Sentinel shows primary, replicas with lag, Sentinels, service, store and last failover', () => {
    const report = reportAfter()
    expect(report).toMatchObject({
      kind: 'IngotStatus',
      version: 1,
      namespace: 'shop',
      release: 'ingot',
      chart: 'ingot-0.1.0',
      healthy: true,
      problems: [],
      notRead: [],
      operator: { state: 'leading', namespace: 'ingot-system', holder: 'ingot-operator-5b7c_9f3a' },
      store: { kind: 'postgres', address: 'ingot-postgres:5432/ingot', ready: true },
      service: { wanted: 3, ready: 3 },
      redis: {
        mode: 'sentinel',
        source: 'RedisTopology',
        primaries: [{ shard: 0, pod: 'ingot-redis-0', since: '2026-11-28T09:30:00Z' }],
        sentinels: { wanted: 3, ready: 3, quorum: 2, agreed: 3, reachable: 3, known: 3, canFailOver: true },
        lastFailover: { from: 'ingot-redis-1', to: 'ingot-redis-0', planned: true, writeGapMs: 120 },
        conditions: [],
      },
    })
    expect(report.service.pods[0]).toEqual({
      pod: SERVICE_POD,
      ready: true,
      version: '0.1.0',
      restarts: 0,
      breaker: 'closed',
      pendingItems: 7,
    })
    expect(report.redis?.servers[1]).toMatchObject({ role: 'replica', linked: true, lagBytes: 95 })
    expect(report.redis).not.toHaveProperty('slots')
  })

  test('with Cluster shows one primary per shard, and the slots', () => {
    const { redis, healthy } = reportAfter(() => {}, 'cluster')
    expect(healthy).toBe(true)
    expect(redis?.primaries.map(({ shard, pod }) => `${shard} ${pod}`)).toEqual([
      '0 ingot-redis-0',
      '1 ingot-redis-1',
      '2 ingot-redis-2',
    ])
    expect(redis?.slots).toEqual({ served: 16_384, total: 16_384 })
    expect(redis).not.toHaveProperty('sentinels')
  })

  test('is healthy without an operator, and the report says where the roles are from', () => {
    const { healthy, redis, operator } = reportAfter((objects) => {
      objects.remove('RedisTopology', 'ingot-redis')
      objects.remove('Lease', 'ingot-operator')
      objects.remove('CustomResourceDefinition', 'redistopologies.ingot.dev')
    })
    expect(healthy).toBe(true)
    expect(operator).toEqual({
      state: 'absent',
      note: 'the kind RedisTopology is not installed; this is from role labels of the pods',
    })
    expect(redis).toMatchObject({ source: 'labels', primaries: [{ pod: 'ingot-redis-0' }] })
  })

  test('without role labels the roles are unknown', () => {
    const { redis, operator, healthy } = reportAfter((objects) => {
      objects.remove('RedisTopology', 'ingot-redis')
      for (const pod of objects.items)
        if (pod.kind === 'Pod') set(pod, ['metadata', 'labels', 'ingot.dev/role'], undefined)
    })
    expect(healthy).toBe(true)
    expect(redis).toMatchObject({ source: 'none', primaries: [] })
    expect(operator.note).toContain('has no RedisTopology; this is from pods only')
  })
})

describe('a degraded release', () => {
  test.each<[string, (objects: ReleaseObjects) => void, string]>([
    ['a service pod that is not ready', (o) => unready(o.get('Pod', SERVICE_POD)), '2 of 3 pods ready'],
    ['a Postgres that is not ready', (o) => unready(o.get('Pod', 'ingot-postgres-0')), 'the Postgres of the release'],
    ['a Redis pod that is not ready', (o) => unready(o.get('Pod', 'ingot-redis-2')), 'ingot-redis-2 is not ready'],
    ['a Sentinel that is not ready', (o) => unready(o.get('Pod', 'ingot-sentinel-0')), '2 of 3 Sentinels are ready'],
    [
      'no primary',
      (o) => set(o.get('RedisTopology', 'ingot-redis'), ['status', 'primaries'], []),
      'no Redis server is primary',
    ],
    [
      'two primaries',
      (o) => set(o.get('RedisTopology', 'ingot-redis'), ['status', 'primaries', 1], { shard: 0, pod: 'ingot-redis-1' }),
      '2 Redis servers are primary: ingot-redis-0, ingot-redis-1',
    ],
    [
      'a condition that is not as wished',
      (o) => {
        const seen = { status: 'False', reason: 'NoReplicaInSync', message: 'no replica is in sync' }
        setCondition(o.get('RedisTopology', 'ingot-redis'), 'FailoverPossible', seen)
      },
      'FailoverPossible is False (NoReplicaInSync): no replica is in sync',
    ],
    [
      'an operator that does not renew its Lease',
      (o) => set(o.get('Lease', 'ingot-operator'), ['spec', 'renewTime'], '2026-11-29T11:00:00.000000Z'),
      'the status of RedisTopology ingot-redis may be old',
    ],
    ['no Deployment', (o) => o.remove('Deployment', 'ingot'), 'the Deployment of the service is not there'],
  ])('%s', (_what, change, problem) => {
    const { healthy, problems } = reportAfter(change)
    expect(healthy).toBe(false)
    expect(problems.join('\n')).toContain(problem)
  })

  test('slots without a server', () => {
    const { problems } = reportAfter((o) => {
      set(o.get('RedisTopology', 'ingot-redis'), ['status', 'servers', 1, 'slots'], 0)
    }, 'cluster')
    expect(problems).toEqual(['10923 of 16384 slots are served'])
  })

  test('an open breaker', () => {
    const facts = factsOf(releaseObjects('sentinel'))
    const text = METRICS.replace('"closed"} 1', '"closed"} 0').replace('"open"} 0', '"open"} 1')
    const [first, ...others] = facts.metrics
    const metrics = [{ pod: first?.pod ?? '', text: { kind: 'read', value: text } as const }, ...others]
    expect(statusReport({ ...facts, metrics }).problems).toEqual([
      `${SERVICE_POD}: the circuit breaker of the locks is open`,
    ])
  })
})

describe('what could not be read', () => {
  const without = (part: keyof Facts['objects']): Facts => {
    const facts = factsOf(releaseObjects('sentinel'))
    return { ...facts, objects: { ...facts.objects, [part]: { kind: 'unread', why: '403 pods is forbidden' } } }
  }

  test('is named, and the rest is shown', () => {
    const facts = factsOf(releaseObjects('sentinel'))
    const metrics = facts.metrics.map(({ pod }) => ({ pod, text: { kind: 'unread', why: '403' } as const }))
    const report = statusReport({ ...facts, metrics })
    expect(report.healthy).toBe(true)
    expect(report.notRead[0]).toEqual({ part: `metrics of ${SERVICE_POD}`, why: '403' })
    expect(report.service.pods[0]).not.toHaveProperty('breaker')
    expect(statusText(report, createPaint(false))).toContain(`Not read    metrics of ${SERVICE_POD}: 403`)
  })

  test.each(['pods', 'deployments', 'statefulSets'] as const)('without %s the health is not known', (part) => {
    const { healthy, problems } = statusReport(without(part))
    expect(healthy).toBe(false)
    expect(problems).toEqual([`the health is not known, because these could not be read: ${part}`])
  })
})

describe('the text', () => {
  test('has no control characters without colours, and no line is longer than a screen is wide', () => {
    for (const mode of ['sentinel', 'cluster'] as const) {
      const lines = statusText(
        reportAfter(() => {}, mode),
        createPaint(false),
      ).split('\n')
      // oxlint-disable-next-line no-control-regex -- the point of the test
      for (const line of lines) expect(line).not.toMatch(/[\u0000-\u001F\u007F]/)
      expect(lines.length).toBeLessThan(30)
    }
  })

  test('never carries control characters of the cluster', () => {
    const report = reportAfter((o) => {
      set(o.get('RedisTopology', 'ingot-redis'), ['status', 'primaries', 0, 'pod'], 'evil\u001B[2J')
    })
    expect(statusText(report, createPaint(true))).not.toContain('\u001B[2J')
  })

  test('shows what an operator wants to see', () => {
    const text = statusText(reportAfter(), createPaint(false))
    expect(text).toContain('Redis       sentinel, primary ingot-redis-0 since 2026-11-28T09:30:00Z')
    expect(text).toContain('Sentinels   3 agree, 3 of 3 reachable, 3 known, quorum 2, failover possible')
    expect(text).toContain('Failover    2026-11-28T09:30:00Z, from ingot-redis-1 to ingot-redis-0, planned, 120 ms')
    expect(text).toMatch(/ingot-redis-1 +replica +yes +yes +95 B/)
  })
})

test('load alone is no news, a change of roles is', () => {
  const before = reportAfter()
  const busy = reportAfter((o) => {
    const topology = o.get('RedisTopology', 'ingot-redis')
    set(topology, ['status', 'servers', 1, 'lagBytes'], 5_000)
    set(topology, ['status', 'servers', 0, 'offset'], 9_999)
  })
  expect(newsOf({ ...busy, at: 'later' })).toBe(newsOf(before))
  const moved = reportAfter((o) =>
    set(o.get('RedisTopology', 'ingot-redis'), ['status', 'servers', 1, 'role'], 'primary'),
  )
  expect(newsOf(moved)).not.toBe(newsOf(before))
})

describe('the store', () => {
  const ENV = ['spec', 'template', 'spec', 'containers', 0, 'env'] as const
  /** Replaces the URL of the store in the environment of the service. */
  const setStore = (o: ReleaseObjects, variable?: object): void => {
    const deployment = o.get('Deployment', 'ingot')
    const others = listAt(deployment, ...ENV).filter((one) => textAt(one, 'name') !== 'INGOT_STORE_URL')
    set(deployment, ENV, variable === undefined ? others : [...others, { name: 'INGOT_STORE_URL', ...variable }])
  }
  test.each<[string, (o: ReleaseObjects) => void, object]>([
    [
      'outside the release',
      (o) => setStore(o, { valueFrom: { secretKeyRef: { name: 'my-dsn', key: 'dsn' } } }),
      { kind: 'external-postgres' },
    ],
    [
      'an HTTP API, without credentials in its address',
      (o) => {
        setStore(o)
        const config = '{"storeUrl": "https://me:secret@api.example/v1?key=secret"}'
        set(o.get('ConfigMap', 'ingot'), ['data', 'config.json'], config)
      },
      { kind: 'http', address: 'api.example/v1' },
    ],
  ])('%s', (_what, change, store) => {
    expect(reportAfter(change).store).toEqual(store)
  })
})

describe('the release', () => {
  const workloads = (...releases: readonly string[]) =>
    releases.map((release) => ({
      metadata: {
        name: release,
        labels: { 'app.kubernetes.io/instance': release, 'app.kubernetes.io/component': 'service' },
      },
    }))

  test('is the only one', () => {
    expect(releaseAmong(workloads('a', 'a'), 'shop', undefined)).toBe('a')
    expect(releaseAmong(workloads('a', 'b'), 'shop', 'b')).toBe('b')
  })

  test.each([
    [[], undefined, 'RELEASE_NOT_FOUND', 'there is no release of ingot in shop'],
    [['b', 'a'], undefined, 'RELEASE_AMBIGUOUS', 'namespace shop has several releases: a, b'],
    [['a', 'b'], 'c', 'RELEASE_NOT_FOUND', 'there is no release "c" in namespace shop: it has a, b'],
  ])('%j with %j is refused', (releases, named, code, message) => {
    const choose = (): string => releaseAmong(workloads(...releases), 'shop', named)
    expect(choose).toThrow(expect.objectContaining({ code, message }) as Error)
  })
})

test('samples are read with their labels', () => {
  expect(ingotSamples('ingot_a{x="1\\"2",y="z"} 3 1700\n# ingot\nother 1\ningot_b 1e3\ningot_c\n')).toEqual([
    { name: 'ingot_a', labels: { x: '1"2', y: 'z' }, value: 3 },
    { name: 'ingot_b', labels: {}, value: 1_000 },
  ])
})
