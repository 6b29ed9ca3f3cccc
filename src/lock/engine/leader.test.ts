import { once } from 'node:events'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import { createFakeClock, whileTimePasses } from '../../testing/clock.ts'
import { createFailingBackend } from '../../testing/locks/failing-backend.ts'
import { createMemoryBackend } from '../backends/memory/backend.ts'
import { createLocker } from '../locker.ts'
import type { LeaderState } from './leader.ts'

function setUp() {
  const clock = createFakeClock()
  const backend = createFailingBackend(createMemoryBackend({ clock }), clock)
  const open = () => createLocker(backend, { clock, ttlMs: 1_000 })
  return { clock, backend, open }
}

const codeOf = (thrown: unknown): unknown => (thrown instanceof IngotError ? thrown.code : thrown)

/** Work that ends when its signal aborts. */
async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

test('one process leads until it resigns, and the next leader has a greater fence', async () => {
  const { clock, open } = setUp()
  const fences: (bigint | undefined)[] = []
  const resign = new AbortController()
  const first = open().lead(
    'k',
    (signal, { fence }) => {
      fences.push(fence)
      return untilAborted(signal)
    },
    { signal: resign.signal },
  )
  await clock.advance(10)
  const second = open().lead('k', async (_, { fence, ...leadership }) => {
    fences.push(fence)
    return leadership.isLeading()
  })
  // beyond the maximum hold time of locks
  for (let i = 0; i < 40; i++) await clock.advance(10_000)
  expect(fences).toHaveLength(1)
  resign.abort('enough')
  expect(await whileTimePasses(clock, first)).toEqual({ kind: 'aborted', reason: 'enough' })
  expect(await whileTimePasses(clock, second)).toEqual({ kind: 'done', value: true })
  expect(fences[1] ?? 0n).toBeGreaterThan(fences[0] ?? 0n)
})

test('a leader that loses the lock is notified, and campaigns again after its work has ended', async () => {
  const { clock, backend, open } = setUp()
  const states: LeaderState['kind'][] = []
  let runs = 0
  let atOnce = 0
  const leading = open().lead(
    'k',
    async (signal) => {
      expect(++atOnce).toBe(1)
      if (++runs === 1) {
        await untilAborted(signal)
        await clock.sleep(500)
      }
      atOnce--
      return runs
    },
    { onChange: ({ kind }) => states.push(kind) },
  )
  await clock.advance(10)
  backend.trouble = 'down'
  await clock.advance(2_000)
  backend.trouble = 'none'
  expect(await whileTimePasses(clock, leading)).toEqual({ kind: 'done', value: 2 })
  expect(states).toEqual(['campaigning', 'leading', 'lost', 'campaigning', 'leading'])
})

test('an error of the work rejects after the leader has resigned', async () => {
  const { clock, open } = setUp()
  const failing = open().lead('k', () => Promise.reject(new Error('broken')))
  expect(await whileTimePasses(clock, failing.catch(String))).toBe('Error: broken')
  expect((await open().tryAcquire('k')).kind).toBe('granted')
})

test('after an abort, only abort errors count as the requested end', async () => {
  const { clock, open } = setUp()
  const lead = (thrown: (signal: AbortSignal) => Error) => {
    const abort = new AbortController()
    const work = async (signal: AbortSignal): Promise<never> => {
      await untilAborted(signal)
      throw thrown(signal)
    }
    const outcome = open().lead('k', work, { signal: abort.signal })
    void clock.advance(10).then(() => abort.abort(new Error('enough')))
    return whileTimePasses(
      clock,
      outcome.then(({ kind }) => kind, String),
    )
  }
  expect(await lead(({ reason }) => reason as Error)).toBe('aborted')
  expect(await lead(({ reason }) => new Error('stopped', { cause: reason }))).toBe('aborted')
  expect(await lead(() => new DOMException('stopped', 'AbortError'))).toBe('aborted')
  expect(await lead(() => new Error('disk full'))).toBe('Error: disk full')
})

test('a campaign continues through outages and ends with the signal or the locker', async () => {
  const { clock, backend, open } = setUp()
  backend.trouble = 'down'
  const codes: unknown[] = []
  const abort = new AbortController()
  const onChange = (state: LeaderState): void => {
    if (state.kind === 'campaigning' && state.error !== undefined) codes.push(state.error.code)
  }
  const campaign = open().lead('k', async () => 'led', { signal: abort.signal, onChange })
  await clock.advance(40_000)
  expect(codes.length).toBeGreaterThan(0)
  expect(new Set(codes)).toEqual(new Set(['LOCK_BACKEND_UNAVAILABLE']))
  backend.trouble = 'none'
  expect(await whileTimePasses(clock, campaign)).toEqual({ kind: 'done', value: 'led' })

  await using held = await open().acquire('k')
  const waiting = open().lead('k', async () => 'led', { signal: abort.signal })
  await clock.advance(100)
  abort.abort('enough')
  expect(await whileTimePasses(clock, waiting)).toEqual({ kind: 'aborted', reason: 'enough' })
  expect(held.isHeld()).toBe(true)
  const closed = open()
  await closed[Symbol.asyncDispose]()
  expect(await closed.lead('k', async () => 'led').catch(codeOf)).toBe('SHUTTING_DOWN')
  expect(
    await open()
      .lead('', async () => 'led')
      .catch(codeOf),
  ).toBe('LOCK_KEY_INVALID')
})

test('at most one process leads at a time and fences rise, despite aborts, failures and outages', async () => {
  const candidate = fc.record({
    startMs: fc.nat({ max: 500 }),
    workMs: fc.integer({ min: 1, max: 800 }),
    abortMs: fc.option(fc.nat({ max: 2_000 })),
    fails: fc.boolean(),
  })
  const outage = fc.option(fc.record({ atMs: fc.nat({ max: 1_000 }), forMs: fc.nat({ max: 3_000 }) }))
  await fc.assert(
    fc.asyncProperty(fc.array(candidate, { maxLength: 6 }), outage, async (candidates, down) => {
      const { clock, backend, open } = setUp()
      let last = 0n
      let leader: object | undefined
      const all = candidates.map(async ({ startMs, workMs, abortMs, fails }) => {
        await clock.sleep(startMs)
        const abort = new AbortController()
        if (abortMs !== null) clock.timer(abortMs, () => abort.abort('enough'))
        const me = {}
        const work = async (signal: AbortSignal, { fence }: { fence: bigint | undefined }): Promise<void> => {
          expect(leader).toBeUndefined()
          expect(fence ?? 0n).toBeGreaterThan(last)
          last = fence ?? 0n
          leader = me
          signal.addEventListener('abort', () => (leader = leader === me ? undefined : leader))
          await clock.sleep(workMs, signal).finally(() => (leader = leader === me ? undefined : leader))
          if (fails) throw new Error('broken')
        }
        return open()
          .lead('k', work, { signal: abort.signal })
          .then((o) => o.kind, String)
      })
      if (down !== null) {
        clock.timer(down.atMs, () => (backend.trouble = 'down'))
        clock.timer(down.atMs + down.forMs, () => (backend.trouble = 'none'))
      }
      const ends = await whileTimePasses(clock, Promise.all(all))
      expect(ends.filter((end) => !['done', 'aborted', 'Error: broken'].includes(end))).toEqual([])
    }),
    { numRuns: 60 },
  )
})
