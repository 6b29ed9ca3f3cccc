/** Drills on a release in memory: what the runner must find, and in which order it works. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type * as Clock from '../../std/clock.ts'
import { createFakeHome, type Flaw } from '../../testing/fake-drill-home.ts'
import { createFakeRelease } from '../../testing/kube/fake-release.ts'
import type { DrillFacts } from '../spec/conditions.ts'
import type { DrillSpec } from '../spec/schema.ts'
import { runDrill } from './run-drill.ts'

// the sleep of the system's clock cannot be faked, so its timer takes its place
vi.mock('../../std/clock.ts', async (original) => {
  const { systemClock } = await original<typeof Clock>()
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const abort = (): void => reject(signal?.reason)
      if (signal?.aborted === true) return abort()
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', () => (clearTimeout(timer), abort()), { once: true })
    })
  return { systemClock: { ...systemClock, sleep } }
})

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const KILL = [{ name: 'kill', action: 'Kill', target: { component: 'redis', role: 'primary' } }] as const

interface Call {
  readonly flaws?: readonly Flaw[]
  readonly spec?: Partial<DrillSpec>
  /** Aborts the drill after so long, in milliseconds. */
  readonly abortMs?: number
}

async function drilled({ flaws = [], spec = {}, abortMs }: Call = {}) {
  const release = createFakeRelease()
  const home = createFakeHome(flaws)
  const facts: DrillFacts[] = []
  const ending = new AbortController()
  if (abortMs !== undefined) setTimeout(() => ending.abort(new Error('a signal')), abortMs)
  const deps = {
    workloads: release.workloads,
    redis: release.redis,
    home: () => home,
    bystanders: { failed: async () => home.othersFailed() },
    operator: () => Promise.reject(new Error('there is no operator')),
    log: { write: async (written: DrillFacts) => void facts.push(written) },
    version: '0.0.0',
    say: () => undefined,
  }
  const given: DrillSpec = { target: { release: 'ingot' }, faults: [...KILL], ...spec }
  const over = new AbortController()
  const running = runDrill({ name: 'test', startedBy: 'test', spec: given }, deps, ending.signal).finally(() =>
    over.abort(),
  )
  while (!over.signal.aborted) await vi.advanceTimersByTimeAsync(250)
  return { ...(await running), home, facts, calls: release.calls }
}

test('a release that keeps its promises passes, and its items are removed', async () => {
  const { report, home, facts, calls } = await drilled()
  expect(report).toMatchObject({ verdict: 'Pass', summary: { lost: 0, duplicates: 0 } })
  expect(calls).toContain('delete redis-0 at once')
  expect(home.dropped).toEqual(['ingot-drill', 'ingot-drill'])
  const phases = facts.map(({ phase }) => phase)
  expect([...new Set(phases)]).toEqual(['Pending', 'Gate', 'Load', 'Faults', 'Settle', 'Judging'])
})

test.each<[string, Flaw, string]>([
  ['acknowledges before it commits', 'answersEarly', 'lostItems'],
  ['saves twice', 'savesTwice', 'duplicates'],
])('a service that %s fails', async (_, flaw, criterion) => {
  const { report } = await drilled({ flaws: [flaw] })
  expect(report).toMatchObject({ verdict: 'Fail', reason: 'DataViolated' })
  expect(report.criteria.find(({ name }) => name === criterion)).toMatchObject({ met: false })
})

test('a fault that did not happen is inconclusive', async () => {
  const target = { component: 'redis' as const, role: 'primary' as const }
  const never = [{ name: 'pause', action: 'Pause' as const, target, hold: '5s' }]
  const { report } = await drilled({ spec: { faults: never } })
  expect(report.verdict).toBe('Inconclusive')
  expect(report.faults[0]?.state).not.toBe('Proven')
})

test('a load without samples is inconclusive, because there is no steady state', async () => {
  const { report } = await drilled({ flaws: ['sendsNothing'], spec: { gate: { timeout: '30s' } } })
  expect(report).toMatchObject({ verdict: 'Inconclusive', reason: 'NotSteady' })
})

test('a load generator that was killed is inconclusive, unless its record shows a loss', async () => {
  expect((await drilled({ flaws: ['diesEarly'] })).report).toMatchObject({
    verdict: 'Inconclusive',
    reason: 'RecordIncomplete',
  })
  const { report } = await drilled({ flaws: ['diesEarly', 'answersEarly'] })
  expect(report).toMatchObject({ verdict: 'Fail', reason: 'DataViolated' })
})

test('a store that cannot be read is inconclusive', async () => {
  const { report } = await drilled({ flaws: ['unreadable'] })
  expect(report).toMatchObject({ verdict: 'Inconclusive', message: expect.stringContaining('store') as string })
})

test('errors of other clients are counted apart, and abort the drill at the limit', async () => {
  const { report } = await drilled({ flaws: ['failsOthers'] })
  expect(report.verdict).toBe('Pass')
  expect(report.summary.bystanderErrors).toBeGreaterThan(5)
  const limited = await drilled({ flaws: ['failsOthers'], spec: { abort: { bystanders: { errors: 5 } } } })
  expect(limited.report).toMatchObject({ verdict: 'Aborted', reason: 'Bystanders' })
})

test('an interrupted drill is aborted, and its faults are undone', async () => {
  const target = { component: 'service' as const }
  const more = { name: 'more', action: 'Scale' as const, target, replicas: 4, hold: '10m' }
  const { report, facts, calls } = await drilled({ spec: { faults: [more] }, abortMs: 30_000 })
  expect(report).toMatchObject({ verdict: 'Aborted', reason: 'Interrupted' })
  expect(calls.filter((call) => call.startsWith('scale'))).toEqual(['scale service 4', 'scale service 3'])
  // the step is recorded before the fault, and removed after it is undone
  expect(facts.some(({ undo = [] }) => undo.length === 1)).toBe(true)
  expect(facts.at(-1)?.undo).toEqual([])
})
