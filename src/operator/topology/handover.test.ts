/** The order of a hand-over. Real servers are in heal.contract.test.ts. */
import { expect, test } from 'vitest'
import { createFakeClock } from '../../testing/clock.ts'
import { type FakeActorsOptions, fakeActors } from '../../testing/kube/fake-actors.ts'
import { handOver, handoverRequest } from './handover.ts'
import type { SentinelState, ServerState, TopologyView } from './view.ts'

const server = (pod: string, role: 'primary' | 'replica', more: Partial<ServerState> = {}): ServerState => ({
  pod,
  role,
  synced: true,
  replicas: 2,
  offset: 100,
  keys: 1,
  machine: 'm',
  host: pod,
  port: 6379,
  ...(role === 'replica' ? { followsPod: 'r-0' } : {}),
  ...more,
})
const SENTINEL: SentinelState = {
  pod: 's-0',
  host: 'r-0',
  port: 6379,
  primaryPod: 'r-0',
  flags: ['master'],
  hasQuorum: true,
  knows: 3,
  peers: 2,
  replicas: 2,
  departed: 0,
  departing: 0,
  entries: [{ kind: 'replica', host: 'r-1', port: 6379, pod: 'r-1', flags: ['slave'] }],
}
const VIEW: TopologyView = {
  mode: 'sentinel',
  size: 3,
  primaries: 3,
  statefulSet: 'r',
  sentinelCount: 1,
  servers: [server('r-0', 'primary'), server('r-1', 'replica'), server('r-2', 'replica')],
  sentinels: [SENTINEL],
}

/** Servers that promote r-1. `lag`: polls until the replicas have the last write. */
function replies({ lag = 0, names = 'r-1' }: { lag?: number; names?: string } = {}): (command: string) => unknown {
  let polls = 0
  let hasFailedOver = false
  return (command) => {
    if (command === 'r-0 INFO replication') return 'role:master\nmaster_repl_offset:100'
    if (command.endsWith('INFO replication')) return `role:slave\nslave_repl_offset:${polls++ < lag ? 90 : 100}`
    if (command.includes('SENTINEL FAILOVER')) hasFailedOver = true
    if (command.includes('GET-MASTER-ADDR')) return [hasFailedOver ? names : 'r-0', '6379']
    if (command.includes('CONFIG GET replica-priority')) return ['replica-priority', '100']
    if (command.includes('SENTINEL REPLICAS')) return [['ip', 'r-1', 'port', '6379', 'slave-priority', '1']]
    return 'OK'
  }
}

async function run(options: FakeActorsOptions, view = VIEW, pod?: string) {
  const clock = createFakeClock()
  const fakes = fakeActors(options)
  const request = { id: 'a', ...(pod === undefined ? {} : { pod }) }
  const context = { view, actors: fakes.actors, clock, timeoutMs: 10_000, signal: new AbortController().signal }
  const running = handOver(request, context)
  for (let step = 0; step < 400; step++) await clock.advance(50)
  const changes = fakes.sent.filter((one) => !/CLIENT LIST|INFO|GET-MASTER|REPLICAS|CONFIG GET/.test(one))
  return { outcome: await running, sent: fakes.sent, changes }
}

test('writes pause, the replicas catch up, a replica is promoted, and the former primary follows it', async () => {
  const { outcome, sent, changes } = await run({ reply: replies({ lag: 5 }) })
  expect(outcome).toMatchObject({ phase: 'Done', message: 'r-0 handed over to r-1:6379', paused: { pod: 'r-0' } })
  expect(changes).toEqual([
    'r-0 CLIENT PAUSE 10000 WRITE',
    's-0 SENTINEL FAILOVER ingot',
    'r-0 REPLICAOF r-1 6379',
    'r-0 CLIENT KILL TYPE normal SKIPME yes',
    'r-0 CLIENT UNPAUSE',
  ])
  const lastOffset = sent.findLastIndex((one) => one.endsWith('INFO replication'))
  expect(sent.findIndex((one) => one.includes('FAILOVER'))).toBeGreaterThan(lastOffset)
})

test('a wanted replica is preferred for the time of the hand-over', async () => {
  const { outcome, changes } = await run({ reply: replies() }, VIEW, 'r-1')
  expect(outcome.phase).toBe('Done')
  expect(changes[0]).toBe('r-1 CONFIG SET replica-priority 1')
  expect(changes.at(-1)).toBe('r-1 CONFIG SET replica-priority 100')
})

test('replicas that do not catch up: writes go on, and nothing is promoted', async () => {
  const { outcome, changes } = await run({ reply: replies({ lag: Number.POSITIVE_INFINITY }) })
  expect(outcome).toEqual({ phase: 'Refused', message: 'no replica caught up within 10000 ms' })
  expect(changes).toEqual(['r-0 CLIENT PAUSE 10000 WRITE', 'r-0 CLIENT UNPAUSE'])
})

test('Sentinels that promote nothing: writes stay paused until the pause ends, because a successor may exist', async () => {
  const { outcome, changes } = await run({ reply: replies({ names: 'r-0' }) })
  expect(outcome).toMatchObject({
    phase: 'Refused',
    message: expect.stringContaining('promoted no replica') as unknown,
  })
  expect(changes.at(-1)).toBe('s-0 SENTINEL FAILOVER ingot')
})

test.each<[string, Partial<TopologyView>, string | undefined, RegExp]>([
  ['two primaries', { servers: [server('r-0', 'primary'), server('r-1', 'primary')] }, undefined, /2 primaries/],
  ['the primary itself', {}, 'r-0', /primary already/],
  ['an unknown pod', {}, 'r-9', /r-9 is not in sync with r-0/],
  [
    'a replica that is still copying (spotahome#205)',
    { servers: [server('r-0', 'primary'), server('r-1', 'replica', { synced: false })] },
    'r-1',
    /not in sync/,
  ],
  ['no quorum', { sentinels: [{ ...SENTINEL, hasQuorum: false }] }, undefined, /no Sentinel with a quorum/],
  ['a cluster without a replica named', { mode: 'cluster' }, undefined, /name the replica/],
])('%s is refused before anything changes', async (_title, change, pod, message) => {
  const { outcome, changes } = await run({ reply: replies() }, { ...VIEW, ...change }, pod)
  expect(outcome.phase).toBe('Refused')
  expect(outcome.message).toMatch(message)
  expect(changes).toEqual([])
})

test('a request is read from the annotation until it has a result', () => {
  const asked = (value: string) => ({ metadata: { name: 'shop', annotations: { 'ingot.dev/handover': value } } })
  expect(handoverRequest({ metadata: { name: 'shop' } }, undefined)).toBeUndefined()
  expect(handoverRequest(asked('a1b2'), undefined)).toEqual({ id: 'a1b2' })
  expect(handoverRequest(asked('a1b2/r-1'), undefined)).toEqual({ id: 'a1b2', pod: 'r-1' })
  expect(handoverRequest(asked('not valid!'), undefined)).toBeUndefined()
  const result = (phase: 'Running' | 'Done' | 'Refused') => ({ request: 'a1b2', phase, message: '' })
  expect(handoverRequest(asked('a1b2'), result('Done'))).toBeUndefined()
  expect(handoverRequest(asked('a1b2'), result('Running'))).toEqual({ id: 'a1b2' })
  expect(handoverRequest(asked('c3d4'), result('Refused'))).toEqual({ id: 'c3d4' })
})
