/** Plans of repairs. Each known failure of Redis on Kubernetes is a case: its title names a public report of it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Action, dueActions, PATIENCE_MS, planOf, describe as sentenceOf } from './plan.ts'
import type { SentinelState, ServerState, TopologyView } from './view.ts'

const at = (ordinal: number) => ({ host: `10.0.0.${ordinal}`, port: 6379 })
const primary = (ordinal: number, more: Partial<ServerState> = {}): ServerState => ({
  pod: `r-${ordinal}`,
  role: 'primary',
  synced: true,
  replicas: 2,
  offset: 1_000,
  keys: 9,
  machine: `m-${ordinal}`,
  ...at(ordinal),
  ...more,
})
const replica = (ordinal: number, of: number, more: Partial<ServerState> = {}): ServerState => ({
  ...primary(ordinal),
  role: 'replica',
  replicas: 0,
  followsPod: `r-${of}`,
  ...more,
})
const sentinel = (ordinal: number, names: number, more: Partial<SentinelState> = {}): SentinelState => ({
  pod: `s-${ordinal}`,
  ...at(names),
  primaryPod: `r-${names}`,
  flags: ['master'],
  hasQuorum: true,
  knows: 3,
  peers: 2,
  replicas: 2,
  departed: 0,
  departing: 0,
  entries: [],
  ...more,
})

/** Three servers and three Sentinels; the primary is not the first server. */
const HEALTHY: TopologyView = {
  mode: 'sentinel',
  size: 3,
  primaries: 3,
  statefulSet: 'r',
  sentinelCount: 3,
  servers: [replica(0, 2), replica(1, 2), primary(2)],
  sentinels: [sentinel(0, 2), sentinel(1, 2), sentinel(2, 2)],
}

const { offset: _offset, ...withoutOffset } = primary(2)
const { followsPod: _follows, ...withoutRole } = replica(0, 2)

const kinds = (view: TopologyView): readonly string[] => planOf(view).actions.map((action) => sentenceOf(action))

describe('under Sentinel', () => {
  test.each<[string, Partial<TopologyView>, readonly string[]]>([
    ['a healthy set (operator restarts that re-elect ordinal 0: OT-CK#1314, #1719)', {}, []],
    [
      'two primaries after a recovery (bitnami/charts#3202, redis#13658)',
      { servers: [primary(0), replica(1, 2), primary(2)] },
      ['r-0 is a second primary and becomes a replica of r-2'],
    ],
    [
      'a replica of a server that is no longer primary (OT-CK#513)',
      { servers: [replica(0, 2), replica(1, 0), primary(2)] },
      ['r-1 follows another server and becomes a replica of r-2'],
    ],
    [
      'a replica of an address that no pod has (redis#8300)',
      { servers: [replica(0, 2), replica(1, 2, { followsPod: '10.9.9.9' }), primary(2)] },
      ['r-1 follows another server and becomes a replica of r-2'],
    ],
    [
      'two primaries while only one of three Sentinels names one (a partition: CNPG#7407)',
      { servers: [primary(0), replica(1, 2), primary(2)], sentinels: [sentinel(0, 2), sentinel(1, 0)] },
      [],
    ],
    [
      'two primaries while a Sentinel fails over',
      {
        servers: [primary(0), replica(1, 2), primary(2)],
        sentinels: [sentinel(0, 2), sentinel(1, 2), sentinel(2, 2, { flags: ['master', 'failover_in_progress'] })],
      },
      [],
    ],
    [
      'two primaries while the Sentinels see the one that they name down',
      {
        servers: [primary(0), replica(1, 2), primary(2)],
        sentinels: [0, 1, 2].map((ordinal) => sentinel(ordinal, 2, { flags: ['master', 's_down'] })),
      },
      [],
    ],
    [
      'two primaries while the one that the Sentinels name reports no offset',
      { servers: [primary(0), replica(1, 2), withoutOffset] },
      [],
    ],
    [
      'no primary at all: Sentinels or the pods choose (spotahome#600)',
      { servers: [replica(0, 2), replica(1, 2)] },
      [],
    ],
    ['a server that has no role yet: its pod gives it one', { servers: [withoutRole, replica(1, 2), primary(2)] }, []],
    ['one server of three responds (an isolated node: dragonfly#302)', { servers: [primary(0)] }, []],
    [
      'Sentinels that were removed (bitnami/charts#10067)',
      { sentinels: [sentinel(0, 2), sentinel(1, 2, { departed: 2 }), sentinel(2, 2, { departed: 2 })] },
      ['s-1 forgets Sentinels and replicas that have left'],
    ],
    [
      'removed Sentinels while a Sentinel has not found all others again after its reset',
      { sentinels: [sentinel(0, 2, { peers: 1 }), sentinel(1, 2, { departed: 2 }), sentinel(2, 2)] },
      [],
    ],
    [
      'removed Sentinels while a Sentinel has no quorum',
      { sentinels: [sentinel(0, 2, { hasQuorum: false }), sentinel(1, 2, { departed: 2 }), sentinel(2, 2)] },
      [],
    ],
    [
      'removed Sentinels and a replica that follows the wrong server: roles first',
      {
        servers: [replica(0, 2), replica(1, 0), primary(2)],
        sentinels: [sentinel(0, 2, { departed: 1 }), sentinel(1, 2), sentinel(2, 2)],
      },
      ['r-1 follows another server and becomes a replica of r-2'],
    ],
  ])('%s', (_title, change, expected) => {
    expect(kinds({ ...HEALTHY, ...change })).toEqual(expected)
  })

  test.each([
    ['a second primary', primary(0)],
    ['a replica of another server', replica(0, 1)],
  ])('an empty primary never replaces the data of %s (spotahome#97, bitnami/charts#14738)', (_title, other) => {
    const view = { ...HEALTHY, servers: [other, replica(1, 2, { keys: 0 }), primary(2, { keys: 0 })] }
    const { actions, refusals } = planOf(view)
    expect(actions).toEqual([])
    expect(refusals).toEqual([
      'r-0 has 9 keys, but r-2, which the Sentinels name as primary, has none: decide which one to keep',
    ])
  })

  test('a wrong server gets the address that the Sentinels use', () => {
    const names = [0, 1, 2].map((ordinal) => sentinel(ordinal, 2, { host: 'r-2.h.ns', port: 6400 }))
    const view = { ...HEALTHY, servers: [primary(0), replica(1, 2), primary(2)], sentinels: names }
    expect(planOf(view).actions).toEqual([
      { kind: 'Demote', pod: 'r-0', primary: 'r-2', address: { host: 'r-2.h.ns', port: 6400 } },
    ])
  })

  test('no plan changes a role without a majority of all Sentinels and of all servers', () => {
    const server = fc.integer({ min: 0, max: 2 }).chain((of) => fc.constantFrom(primary(of), replica(of, (of + 1) % 3)))
    const servers = fc.uniqueArray(server, { maxLength: 3, selector: ({ pod }) => pod })
    const flags = fc.constantFrom(['master'], ['master', 's_down'], ['master', 'failover_in_progress'])
    const sentinels = fc.uniqueArray(
      fc
        .tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 }), flags, fc.boolean())
        .map(([ordinal, names, flag, hasQuorum]) => sentinel(ordinal, names, { flags: flag, hasQuorum })),
      { maxLength: 3, selector: ({ pod }) => pod },
    )
    fc.assert(
      fc.property(servers, sentinels, (some, views) => {
        for (const action of planOf({ ...HEALTHY, servers: some, sentinels: views }).actions) {
          if (action.kind !== 'Demote' && action.kind !== 'Repoint') continue
          const naming = views.filter((one) => one.primaryPod === action.primary && one.flags.join() === 'master')
          expect(naming.length).toBeGreaterThan(1)
          expect(some.length).toBeGreaterThan(1)
          expect(action.pod).not.toBe(action.primary)
        }
      }),
    )
  })
})

describe('in a cluster', () => {
  const id = (ordinal: number): string => String(ordinal).repeat(40)
  const peer = (ordinal: number, more: object = {}) => {
    return { id: id(ordinal), ...at(ordinal), flags: ['master'], linked: true, ...more }
  }
  const others = (ordinal: number, count = 6) =>
    Array.from({ length: count }, (_, other) => peer(other)).filter((one) => one.id !== id(ordinal))
  const node = (ordinal: number, more: object = {}, server: Partial<ServerState> = {}): ServerState => ({
    ...primary(ordinal, { machine: `m-${ordinal % 3}`, ...server }),
    cluster: { ok: true, id: id(ordinal), primaryId: '', slots: 5_461, peers: others(ordinal), ...more },
  })
  const follower = (ordinal: number, of: number, server: Partial<ServerState> = {}): ServerState => ({
    ...node(ordinal, { primaryId: id(of), slots: 0 }, server),
    role: 'replica',
  })
  const blank = (ordinal: number): ServerState => node(ordinal, { slots: 0, peers: [] }, { keys: 0 })
  const CLUSTER: TopologyView = {
    ...HEALTHY,
    mode: 'cluster',
    size: 6,
    primaries: 3,
    sentinelCount: 0,
    sentinels: [],
    servers: [node(0), node(1), node(2), follower(3, 1), follower(4, 2), follower(5, 0)],
  }

  test('a healthy cluster needs nothing', () => expect(planOf(CLUSTER)).toEqual({ actions: [], refusals: [] }))

  test('pods that restarted with new addresses meet there (OT-CK#1722, redis#15136)', () => {
    const moved = { ...node(2), host: '10.0.9.9' }
    expect(kinds({ ...CLUSTER, servers: [node(0), node(1), moved] })).toEqual([
      'r-0 meets r-2 at its present address',
      'r-1 meets r-2 at its present address',
    ])
    const [first] = planOf({ ...CLUSTER, servers: [node(0), moved] }).actions
    expect(first).toMatchObject({ kind: 'Meet', pod: 'r-0', address: { host: '10.0.9.9', port: 6379 } })
  })

  test('new servers meet, then become the first primaries, then replicas', () => {
    const news = Array.from({ length: 6 }, (_, ordinal) => blank(ordinal))
    expect(kinds({ ...CLUSTER, servers: news }).length).toBe(15)
    const met = news.map((_, ordinal) => node(ordinal, { slots: 0 }, { keys: 0 }))
    const [form] = planOf({ ...CLUSTER, servers: met }).actions
    expect(form).toEqual({
      kind: 'FormCluster',
      shards: [
        { pod: 'r-0', from: 0, to: 5_460 },
        { pod: 'r-1', from: 5_461, to: 10_921 },
        { pod: 'r-2', from: 10_922, to: 16_383 },
      ],
    })
    const formed = met.map((server, ordinal) => (ordinal < 3 ? node(ordinal, {}, { keys: 0 }) : server))
    expect(planOf({ ...CLUSTER, servers: formed }).actions.map(({ kind }) => kind)).toEqual([
      'AttachReplica',
      'AttachReplica',
      'AttachReplica',
    ])
  })

  test('a cluster is never formed while a server is missing, or one has data', () => {
    const met = Array.from({ length: 6 }, (_, ordinal) => node(ordinal, { slots: 0 }, { keys: 0 }))
    expect(planOf({ ...CLUSTER, servers: met.slice(1) }).actions).toEqual([])
    const [, ...rest] = met
    expect(planOf({ ...CLUSTER, servers: [node(0, { slots: 0 }, { keys: 3 }), ...rest] }).actions).toEqual([])
  })

  test('two clusters with data are not merged', () => {
    const foreign = { ...node(2), cluster: { ok: true, id: 'f'.repeat(40), primaryId: '', slots: 16_384, peers: [] } }
    const view = { ...CLUSTER, servers: [node(0, { peers: others(0, 2) }), node(1, { peers: others(1, 2) }), foreign] }
    const { actions, refusals } = planOf(view)
    expect(actions).toEqual([])
    expect(refusals[0]).toBe('r-0 and r-2 are in different clusters, which both hold data')
  })

  test('a primary moves from a machine with two, when every replica is in sync and the cluster is up', () => {
    const crowded = [node(0), node(1, {}, { machine: 'm-0' }), node(2), follower(3, 1), follower(4, 2), follower(5, 0)]
    const spread = crowded.map((server) => (server.pod === 'r-3' ? { ...server, machine: 'm-1' } : server))
    expect(kinds({ ...CLUSTER, servers: spread })).toEqual([
      'r-3 becomes primary, because its primary shares a machine with another one',
    ])
    // a replica that is still copying is never promoted (spotahome#205)
    const copying = spread.map((server) => (server.pod === 'r-3' ? { ...server, synced: false } : server))
    expect(kinds({ ...CLUSTER, servers: copying })).toEqual([])
  })
})

describe('an action is due', () => {
  const demote: Action = { kind: 'Demote', pod: 'r-0', primary: 'r-2', address: at(2) }
  test('when it was planned at every poll for its time', () => {
    const first = dueActions(new Map(), [demote], 1_000)
    expect(first.due).toEqual([])
    const early = dueActions(first.planned, [demote], 999 + PATIENCE_MS.Demote)
    expect(early.due).toEqual([])
    expect(dueActions(early.planned, [demote], 1_000 + PATIENCE_MS.Demote).due).toEqual([demote])
  })
  test('not after a poll that did not plan it, or planned another one', () => {
    const { planned } = dueActions(new Map(), [demote], 0)
    const gone = dueActions(planned, [], 6_000)
    expect(dueActions(gone.planned, [demote], PATIENCE_MS.Demote).due).toEqual([])
    const other = dueActions(planned, [{ ...demote, primary: 'r-1' }], PATIENCE_MS.Demote)
    expect(other.due).toEqual([])
  })
})
