import { describe, expect, test } from 'vitest'
import { COMPONENTS, createFakeRelease, type FakeOptions } from '../../testing/kube/fake-release.ts'
import { Refusal } from '../actions/action.ts'
import type { FaultSpec } from '../spec/schema.ts'
import type { DrillContext } from '../targets/kubernetes/context.ts'
import { createUndoList } from '../undo.ts'
import { createNemesis } from './nemesis.ts'
import { createProgress } from './progress.ts'
import { runTimeline } from './timeline.ts'

const primary = { component: 'redis', role: 'primary' } as const

function drill(faults: readonly FaultSpec[], options: FakeOptions & { readonly isOwn?: boolean } = {}) {
  const release = createFakeRelease(options)
  const { workloads, redis } = release
  const lists: (readonly string[])[] = []
  const start = { faults: faults.map(({ name, action }) => ({ name, action, state: 'Pending' as const })) }
  const progress = createProgress(start, { write: async () => {} })
  const tools = { workloads, redis }
  const undo = createUndoList(tools, {
    write: async (steps) => {
      lists.push(steps.map(({ kind }) => kind))
      release.calls.push(`list ${steps.length}`)
    },
  })
  const context: DrillContext = {
    setup: { mode: 'sentinel', store: 'postgres', lock: 'auto' },
    wanted: () => COMPONENTS,
    say: () => {},
    ...tools,
  }
  const nemesis = createNemesis(() => Date.now())
  const timeline = {
    context,
    operator: () => Promise.reject(new Refusal('there is no operator in the cluster')),
    faults,
    isOwn: options.isOwn ?? true,
    safety: {},
    undo,
    nemesis,
    progress,
    losesLocks: true,
  }
  const states = () => (progress.facts.faults ?? []).map(({ name, state }) => `${name} ${state}`)
  return { release, timeline, nemesis, progress, lists, states, undo }
}

const { signal } = new AbortController()

test('faults are injected in their order, and each is proven', async () => {
  const { release, timeline, nemesis, states, progress } = drill([
    { name: 'first', action: 'Kill', target: primary },
    { name: 'second', action: 'Kill', when: 'Recovered', target: primary },
  ])
  const result = await runTimeline(timeline, signal)
  expect(release.calls).toEqual(['delete redis-0 at once', 'delete redis-1 at once'])
  expect(states()).toEqual(['first Proven', 'second Proven'])
  expect(result.refusals).toEqual([])
  expect(nemesis.events.map(({ key, type }) => `${key} ${type}`)).toEqual([
    'first invoke',
    'first ok',
    'second invoke',
    'second ok',
  ])
  expect(progress.facts.faults?.[0]).toMatchObject({ victims: ['redis-0 on n1'] })
  expect(progress.facts.faults?.[0]?.proof).toContain('gone')
})

test('the undo list is durable before the injection, and empty after it', async () => {
  const { release, timeline, undo } = drill([
    { name: 'stall', action: 'Stall', target: { component: 'redis', role: 'replica' }, hold: '1ms' },
  ])
  const failing = { ...timeline, context: { ...timeline.context, redis: release.redis } }
  await runTimeline(failing, signal)
  const [first, second] = release.calls
  expect([first, second]).toEqual(['list 1', 'redis-1 CLIENT PAUSE 1 ALL'])
  expect(release.calls.slice(-2)).toEqual(['redis-1 CLIENT UNPAUSE', 'list 0'])
  expect(undo.steps).toEqual([])
})

test('pods of an earlier fault are hit again', async () => {
  const { release, timeline } = drill([
    { name: 'graceful', action: 'Delete', target: primary },
    { name: 'forced', action: 'Kill', target: { component: 'redis', sameAs: 'graceful' } },
  ])
  await runTimeline(timeline, signal)
  expect(release.calls).toEqual(['delete redis-0', 'delete redis-0 at once'])
})

describe('a fault that cannot be carried out is refused, and the others go on', () => {
  test.each<[string, FaultSpec, string]>([
    [
      'the operator is absent',
      { name: 'x', action: 'Kill', target: { component: 'operator' } },
      'there is no operator',
    ],
    ['a signal cannot reach it', { name: 'x', action: 'Pause', target: primary }, 'drills.processes'],
    ['safety forbids it', { name: 'x', action: 'Kill', target: { component: 'sentinel', count: 2 } }, 'keepMajority'],
  ])('%s', async (_, fault, says) => {
    const { release, timeline, states } = drill([fault, { name: 'next', action: 'Kill', target: primary }])
    const { refusals } = await runTimeline(timeline, signal)
    expect(refusals).toEqual([expect.stringContaining(says) as string])
    expect(states()).toEqual(['x Refused', 'next Proven'])
    expect(release.calls).toEqual(['delete redis-0 at once'])
  })
})

test('an abort during a hold undoes the fault, and starts no other', async () => {
  const ending = new AbortController()
  const { release, timeline, undo } = drill([
    { name: 'scale', action: 'Scale', target: { component: 'service' }, replicas: 5, hold: '1h' },
    { name: 'never', action: 'Kill', when: 'Proven', target: primary },
  ])
  const running = runTimeline(timeline, ending.signal)
  while (!release.calls.includes('scale service 5')) await new Promise((resolve) => setImmediate(resolve))
  ending.abort(new Error('cancelled'))
  await expect(running).rejects.toThrow('cancelled')
  expect(release.calls).toEqual(['list 1', 'scale service 5', 'scale service 3', 'list 0'])
  expect(undo.steps).toEqual([])
})
