/** What the healer does at which time. Real servers are in heal.contract.test.ts. */
import { expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import type { KubeApi } from '../../kube/client/api.ts'
import type { EventEntry } from '../../kube/runtime/event-recorder.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { type FakeActorsOptions, fakeActors } from '../../testing/kube/fake-actors.ts'
import { createHealer } from './heal.ts'
import type { TopologyMeasures } from './measures.ts'
import type { Seen } from './observe.ts'
import type { Action, Plan } from './plan.ts'
import type { TopologyPod } from './pods.ts'
import type { ServerState } from './view.ts'

const POD: TopologyPod = {
  metadata: { name: 'r-0', namespace: 'shop' },
  statefulSet: 'r',
  ready: true,
  ip: '10.0.0.1',
  ports: { redis: 6_379 },
  labels: { app: 'r' },
  node: 'm',
  subdomain: 'h',
}
const SERVER: ServerState = {
  pod: 'r-0',
  role: 'primary',
  synced: true,
  replicas: 0,
  keys: 1,
  machine: 'm',
  host: '10.0.0.1',
  port: 6_379,
}
const SEEN: Seen = {
  servers: { name: 'r', size: 1, pods: [POD], port: { name: 'redis', number: 6_379 } },
  view: {
    mode: 'sentinel',
    size: 1,
    primaries: 1,
    statefulSet: 'r',
    sentinelCount: 3,
    servers: [SERVER],
    sentinels: [],
  },
  observation: {
    mode: 'sentinel',
    generation: 1,
    size: 1,
    replicasPerShard: 0,
    pods: [],
    roles: [],
    sentinels: [],
    selector: '',
  },
}
const RESET: Plan = { actions: [{ kind: 'ResetSentinel', pod: 's-0' }], refusals: [] }
const NOTHING: Plan = { actions: [], refusals: [] }

interface FixtureOptions extends FakeActorsOptions {
  /** Refuses writes to the API. Default: false. */
  readonly isForbidden?: boolean
}

function createFixture({ isForbidden = false, ...options }: FixtureOptions = {}) {
  const clock = createFakeClock()
  const writes: string[] = []
  const events: EventEntry[] = []
  const acted: string[] = []
  const write = async (line: string): Promise<object> => {
    writes.push(line)
    if (isForbidden) throw new IngotError('KUBE_FORBIDDEN', 'no right')
    return {}
  }
  const api = {
    patch: (_kind: unknown, at: { name?: string }) => write(`label ${at.name}`),
    apply: (_kind: unknown, object: { metadata: { name: string } }) => write(`apply ${object.metadata.name}`),
  } as unknown as KubeApi
  const measures: Pick<TopologyMeasures, 'acted'> = {
    acted: (_key, action, outcome) => void acted.push(`${action} ${outcome}`),
  }
  const fakes = fakeActors(options)
  const healer = createHealer()
  const heal = (plan: Plan) =>
    healer.heal({
      key: 'shop/r',
      topology: { metadata: { name: 'r', namespace: 'shop', uid: 'u' } },
      seen: SEEN,
      plan,
      actors: fakes.actors,
      api,
      clock,
      measures: measures as TopologyMeasures,
      record: async (entry) => void events.push(entry),
      signal: new AbortController().signal,
    })
  return { ...fakes, clock, writes, events, acted, heal }
}

test('an action waits for its time, is carried out once, and waits again', async () => {
  const { clock, heal, sent, events, acted } = createFixture()
  const resets = (): number => sent.filter((line) => line.includes('RESET')).length
  await heal(RESET)
  await clock.advance(4_000)
  await heal(RESET)
  expect(resets()).toBe(0)
  await clock.advance(1_000)
  await heal(RESET)
  expect(resets()).toBe(1)
  await heal(RESET)
  await clock.advance(4_000)
  await heal(RESET)
  expect(resets()).toBe(1)
  expect(acted).toEqual(['ResetSentinel done'])
  expect(events.map(({ reason }) => reason)).toEqual(['ResetSentinel'])
})

test('of several second primaries all are demoted together, of several resets one', async () => {
  const address = { host: 'h', port: 1 }
  const demotions = ['r-1', 'r-2'].map((pod): Action => ({ kind: 'Demote', pod, primary: 'r-0', address }))
  const resets = ['s-0', 's-1'].map((pod): Action => ({ kind: 'ResetSentinel', pod }))
  const { clock, heal, acted } = createFixture()
  for (const actions of [demotions, resets]) {
    await heal({ actions, refusals: [] })
    await clock.advance(20_000)
    await heal({ actions, refusals: [] })
  }
  expect(acted).toEqual(['Demote done', 'Demote done', 'ResetSentinel done'])
})

test('an action that fails is reported, and tried again after its time', async () => {
  const refuse = (): never => {
    throw new Error('NOPERM')
  }
  const { clock, heal, events, acted } = createFixture({ reply: refuse })
  for (let poll = 0; poll < 14; poll++) {
    await heal(RESET)
    await clock.advance(1_000)
  }
  expect(acted).toEqual(['ResetSentinel failed', 'ResetSentinel failed'])
  expect(events[0]).toMatchObject({ type: 'Warning', reason: 'RepairFailed' })
  expect(events[0]?.note).toContain('NOPERM')
})

test('Services are applied at first and once a minute, because a user may delete them', async () => {
  const { clock, heal, writes } = createFixture()
  for (let second = 0; second < 62; second++) {
    await heal(NOTHING)
    await clock.advance(1_000)
  }
  const applied = ['apply r-primary', 'apply r-replicas']
  expect(writes.filter((line) => line.startsWith('apply'))).toEqual([...applied, ...applied])
})

test('without the rights, labels and Services are tried again after half a minute, with an Event each', async () => {
  const { clock, heal, writes, events } = createFixture({ isForbidden: true })
  for (let second = 0; second < 31; second++) {
    await heal(NOTHING)
    await clock.advance(1_000)
  }
  expect(writes).toEqual(['label r-0', 'apply r-primary', 'label r-0', 'apply r-primary'])
  expect(new Set(events.map(({ reason }) => reason))).toEqual(new Set(['LabelFailed', 'ServiceFailed']))
})
