import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ServerRole } from '../../redis/topology/roles.ts'
import { type SentinelReport, statusOf, type TopologyObservation, type TopologyStatus } from './status.ts'

const T0 = Date.UTC(2026, 0, 2, 3, 4, 5)
const server = (pod: string, role: 'primary' | 'replica', more: Partial<ServerRole> = {}): ServerRole => ({
  pod,
  role,
  synced: true,
  replicas: role === 'primary' ? 2 : 0,
  offset: role === 'primary' ? 1_000 : 990,
  ...more,
})
const sentinel = (pod: string, more: Partial<SentinelReport> = {}): SentinelReport => ({
  pod,
  names: 'r-0.h.ns',
  knows: 3,
  hasQuorum: true,
  ...more,
})
const pods = (count: number) => Array.from({ length: count }, (_, index) => ({ name: `r-${index}`, ready: true }))

const HEALTHY: TopologyObservation = {
  mode: 'sentinel',
  generation: 4,
  size: 3,
  replicasPerShard: 0,
  pods: pods(3),
  roles: [server('r-0', 'primary'), server('r-1', 'replica'), server('r-2', 'replica')],
  sentinels: [sentinel('s-0'), sentinel('s-1'), sentinel('s-2')],
  selector: 'app=redis',
}

const conditionsOf = ({ conditions }: TopologyStatus): Record<string, string> =>
  Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]))

test('a healthy Sentinel topology is ready, and can fail over', () => {
  const status = statusOf(HEALTHY, {}, T0)
  expect(status).toMatchObject({
    observedGeneration: 4,
    size: 3,
    selector: 'app=redis',
    primaries: [{ shard: 0, pod: 'r-0', since: '2026-01-02T03:04:05Z' }],
    servers: [
      { pod: 'r-0', role: 'primary', offset: 1_000 },
      { pod: 'r-1', role: 'replica', linked: true, lagBytes: 10, offset: 990 },
      { pod: 'r-2', role: 'replica', linked: true, lagBytes: 10, offset: 990 },
    ],
    sentinels: { agreed: 3, reachable: 3, known: 3, canFailOver: true },
  })
  expect(conditionsOf(status)).toEqual({
    Ready: 'True Healthy',
    Degraded: 'False Healthy',
    Progressing: 'False Complete',
    Reconciling: 'False Complete',
    Stalled: 'False Observed',
    FailoverPossible: 'True ReplicaInSync',
  })
})

test.each<[string, Partial<TopologyObservation>, Record<string, string>]>([
  [
    'a replica that is not in sync',
    { roles: [server('r-0', 'primary'), server('r-1', 'replica', { synced: false }), server('r-2', 'replica')] },
    { Ready: 'False ReplicaNotInSync', Degraded: 'True ReplicaNotInSync', FailoverPossible: 'True ReplicaInSync' },
  ],
  [
    'no replica in sync',
    {
      roles: ['r-1', 'r-2'].map((pod) => server(pod, 'replica', { synced: false })).concat(server('r-0', 'primary')),
    },
    { Ready: 'False ReplicaNotInSync', FailoverPossible: 'False NoReplicaInSync' },
  ],
  [
    'two primaries',
    { roles: [server('r-0', 'primary'), server('r-1', 'primary'), server('r-2', 'replica')] },
    { Ready: 'False SeveralPrimaries', Degraded: 'False Healthy' },
  ],
  [
    'no primary',
    { roles: [server('r-1', 'replica', { synced: false }), server('r-2', 'replica', { synced: false })] },
    { Ready: 'False ServersMissing', Degraded: 'False Healthy', FailoverPossible: 'False NoPrimary' },
  ],
  [
    'a Sentinel that names another primary',
    { sentinels: [sentinel('s-0'), sentinel('s-1'), sentinel('s-2', { names: 'r-1.h.ns' })] },
    { Ready: 'False SentinelsDisagree', Degraded: 'False Healthy', FailoverPossible: 'True ReplicaInSync' },
  ],
  [
    'Sentinels without a quorum',
    { sentinels: [sentinel('s-0', { hasQuorum: false, knows: 5 })] },
    { Ready: 'True Healthy', FailoverPossible: 'False NoQuorum' },
  ],
  [
    'a pod that is starting',
    { pods: [...pods(2), { name: 'r-2', ready: false }], roles: HEALTHY.roles.slice(0, 2) },
    { Ready: 'False ServersMissing', Degraded: 'True ServersMissing', Progressing: 'True PodsStarting' },
  ],
])('conditions with %s', (_what, change, conditions) => {
  expect(conditionsOf(statusOf({ ...HEALTHY, ...change }, {}, T0))).toMatchObject(conditions)
})

test('a single server is ready, and cannot fail over', () => {
  const seen = {
    ...HEALTHY,
    mode: 'standalone',
    size: 1,
    pods: pods(1),
    roles: [server('r-0', 'primary')],
    sentinels: [],
  }
  const status = statusOf({ ...seen, mode: 'standalone' }, {}, T0)
  expect(conditionsOf(status)).toMatchObject({ Ready: 'True Healthy', FailoverPossible: 'False Standalone' })
  expect(status.sentinels).toBeUndefined()
})

const member = (id: string, primaryId: string, slots: number) => ({ cluster: { ok: true, id, primaryId, slots } })
const CLUSTER: TopologyObservation = {
  ...HEALTHY,
  mode: 'cluster',
  size: 6,
  replicasPerShard: 1,
  pods: pods(6),
  sentinels: [],
  roles: [
    server('r-3', 'primary', member('d', '', 5_461)),
    server('r-1', 'primary', member('b', '', 5_462)),
    server('r-2', 'primary', member('c', '', 5_461)),
    server('r-0', 'replica', member('a', 'd', 0)),
    server('r-4', 'replica', member('e', 'b', 0)),
    server('r-5', 'replica', member('f', 'c', 0)),
  ],
}

test('a shard keeps its number when its primary changes', () => {
  const status = statusOf(CLUSTER, {}, T0)
  expect(status.primaries.map(({ shard, pod }) => `${shard} ${pod}`)).toEqual(['0 r-3', '1 r-1', '2 r-2'])
  expect(conditionsOf(status)).toMatchObject({ Ready: 'True Healthy', FailoverPossible: 'True ReplicaInSync' })
})

test('a primary keeps its time while it stays primary, and gets a new one when it comes back', () => {
  const first = statusOf(HEALTHY, {}, T0)
  const later = statusOf(HEALTHY, first, T0 + 60_000)
  expect(later.primaries).toEqual(first.primaries)
  const moved = { ...HEALTHY, roles: [server('r-0', 'replica'), server('r-1', 'primary'), server('r-2', 'replica')] }
  const after = statusOf(moved, later, T0 + 120_000)
  expect(after.primaries).toEqual([{ shard: 0, pod: 'r-1', since: '2026-01-02T03:06:05Z' }])
  expect(statusOf(HEALTHY, after, T0 + 180_000).primaries[0]?.since).toBe('2026-01-02T03:07:05Z')
})

test('the same observation gives the same status, whatever the order of the reports', () => {
  const shuffled = fc.shuffledSubarray([...CLUSTER.roles], { minLength: CLUSTER.roles.length })
  fc.assert(
    fc.property(shuffled, (roles) => {
      expect(statusOf({ ...CLUSTER, roles }, {}, T0)).toEqual(statusOf(CLUSTER, {}, T0))
    }),
  )
})

test('a failover is reported until the next one, and repairs and decisions show in Reconciling', () => {
  const failover = {
    wallMs: T0,
    from: 'r-1',
    to: 'r-0',
    planned: false,
    writeGapMs: 6_200,
    reason: 'ServerSilent',
  } as const
  const first = statusOf(HEALTHY, {}, T0, { failover })
  const { wallMs: _, ...rest } = failover
  expect(first.lastFailover).toEqual({ at: '2026-01-02T03:04:05Z', ...rest })
  expect(statusOf(HEALTHY, first, T0 + 5_000).lastFailover).toEqual(first.lastFailover)
  const repair = { reason: 'Demote', message: 'r-1 becomes a replica' }
  expect(conditionsOf(statusOf(HEALTHY, {}, T0, { repair }))).toMatchObject({ Reconciling: 'True Demote' })
  const undecided = statusOf(HEALTHY, {}, T0, { refusals: ['two clusters'] })
  expect(conditionsOf(undecided)).toMatchObject({ Reconciling: 'False DecisionNeeded' })
})

test('no lag is reported beside two primaries, and none below 0', () => {
  const two = [server('r-0', 'primary'), server('r-1', 'primary'), server('r-2', 'replica')]
  expect(statusOf({ ...HEALTHY, roles: two }, {}, T0).servers[2]?.lagBytes).toBeUndefined()
  const ahead = [server('r-0', 'primary'), server('r-1', 'replica', { offset: 1_005 }), server('r-2', 'replica')]
  expect(statusOf({ ...HEALTHY, roles: ahead }, {}, T0).servers[1]?.lagBytes).toBe(0)
})
