import { once } from 'node:events'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import { createFakeClock, whileTimePasses } from '../../testing/clock.ts'
import { createFailingBackend } from '../../testing/locks/failing-backend.ts'
import type { LeaseRequest } from '../backend.ts'
import { createMemoryBackend } from '../backends/memory/backend.ts'
import { createLocker } from '../locker.ts'
import { unmeasured } from '../measure.ts'
import { unavailable } from '../outage.ts'
import type { LockerOptions } from '../policy.ts'
import type { Grant } from './grant.ts'

const NAME = 'images'

function setUp(options: LockerOptions = {}) {
  const clock = createFakeClock()
  const backend = createFailingBackend(createMemoryBackend({ clock }), clock)
  const open = (permits: number) =>
    createLocker(backend, { clock, ttlMs: 1_000, waitMs: 5_000, ...options }).semaphore(NAME, { permits })
  return { clock, backend, open }
}

function isGrant(outcome: unknown): outcome is Grant {
  return typeof outcome === 'object' && outcome !== null && 'fenceOf' in outcome
}

const aborted = (signal: AbortSignal): Promise<unknown> => (signal.aborted ? Promise.resolve() : once(signal, 'abort'))

const codeOf = (thrown: unknown): unknown => (thrown instanceof IngotError ? thrown.code : thrown)

test('all permits can be held, and the next caller waits for the first release', async () => {
  const { clock, open } = setUp()
  const [one, other] = [open(2), open(2)]
  const [a, b] = [await one.acquire(), await other.acquire()]
  expect(new Set([a.key, b.key]).size).toBe(2)
  expect((await one.tryAcquire()).kind).toBe('held')
  const state = { granted: false }
  const waiting = one.acquire().then((grant) => {
    state.granted = true
    return grant
  })
  await clock.advance(500)
  expect(state.granted).toBe(false)
  await b.release()
  const c = await whileTimePasses(clock, waiting)
  expect(c.key).toBe(b.key)
  expect(c.fence ?? 0n).toBeGreaterThan(b.fence ?? 0n)
  expect(a.isHeld() && c.isHeld()).toBe(true)
})

test('waiters of different processes are served in order of arrival', async () => {
  const { clock, open } = setUp()
  const held = [await open(2).acquire(), await open(2).acquire()]
  const served: number[] = []
  const all = Array.from({ length: 8 }, async (_, n) => {
    const grant = await open(2).acquire({ waitMs: 60_000 })
    served.push(n)
    await clock.sleep(10)
    await grant.release()
  })
  await clock.advance(100)
  for (const grant of held) await grant.release()
  await whileTimePasses(clock, Promise.all(all))
  expect(served).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
})

test('a permit whose holder vanished returns when its lease ends', async () => {
  const { clock, backend, open } = setUp()
  // like a holder that died: these are not renewed
  for (const n of [0, 1]) {
    await backend.tryAcquire(
      { key: `semaphore:${NAME}#${n}`, token: `dead${n}`, ttlMs: 1_000 },
      AbortSignal.timeout(1e3),
    )
  }
  const began = clock.monotonicMs()
  await using grant = await whileTimePasses(clock, open(2).acquire())
  expect(clock.monotonicMs() - began).toBeGreaterThanOrEqual(1_000)
  expect(grant.isHeld()).toBe(true)
})

test('waiting ends with LOCK_TIMEOUT or the reason of the signal, and leaves no entry behind', async () => {
  const { clock, open } = setUp()
  const held = [await open(2).acquire(), await open(2).acquire()]
  const late = open(2).acquire({ waitMs: 300 }).catch(codeOf)
  const behind = open(2).acquire({ waitMs: 200 }).catch(codeOf)
  await clock.advance(400)
  expect(await late).toBe('LOCK_TIMEOUT')
  expect(await behind).toBe('LOCK_TIMEOUT')
  const abort = new AbortController()
  const given = open(2).acquire({ signal: abort.signal }).catch(codeOf)
  await clock.advance(100)
  abort.abort('enough')
  expect(await given).toBe('enough')
  await clock.advance(2_000)
  for (const grant of held) await grant.release()
  const all = await whileTimePasses(clock, Promise.all([open(2).acquire(), open(2).acquire()]))
  expect(new Set(all.map((g) => g.key)).size).toBe(2)
})

test('an outage is a value of tryAcquire, and the error of acquire when the time is up', async () => {
  const { clock, backend, open } = setUp()
  backend.trouble = 'down'
  expect((await open(3).tryAcquire()).kind).toBe('unavailable')
  const away = { ...backend, inspect: async () => unavailable('switched off') }
  expect((await createLocker(away).semaphore(NAME, { permits: 2 }).inspect()).kind).toBe('unavailable')
  const outcome = open(3).acquire({ waitMs: 300 }).catch(codeOf)
  expect(await whileTimePasses(clock, outcome)).toBe('LOCK_BACKEND_UNAVAILABLE')
})

test('clients that specify different numbers share the permits that both know', async () => {
  const { open } = setUp()
  const [few, many] = [open(1), open(3)]
  const low = await few.acquire()
  expect((await few.tryAcquire()).kind).toBe('held')
  const [b, c] = [await many.acquire(), await many.acquire()]
  expect(new Set([low.key, b.key, c.key]).size).toBe(3)
  expect((await many.tryAcquire()).kind).toBe('held')
  const seen = await many.inspect()
  expect(seen).toMatchObject({ kind: 'known', free: 0 })
  if (seen.kind === 'known')
    expect(new Set(seen.held.map((h) => h.fence))).toEqual(new Set([low, b, c].map((g) => g.fence)))
})

test('a wait for a permit is measured once, and the gate is not measured as a lock', async () => {
  const waits: string[] = []
  let holds = 0
  const measures = { ...unmeasured, waited: (_: string, outcome: string) => waits.push(outcome), held: () => holds++ }
  const { clock, open } = setUp({ measures })
  const semaphore = open(2)
  await semaphore.withPermit(async () => semaphore.withPermit(async () => undefined))
  const [a, b] = [await semaphore.acquire(), await semaphore.acquire()]
  const late = semaphore.acquire({ waitMs: 100 }).catch(codeOf)
  await clock.advance(200)
  expect(await late).toBe('LOCK_TIMEOUT')
  await Promise.all([a.release(), b.release()])
  expect(waits).toEqual(['granted', 'granted', 'granted', 'granted', 'failed'])
  expect(holds).toBe(4)
})

test('invalid names and permit counts are refused with the reason', () => {
  const { open } = setUp()
  for (const permits of [0, -1, 1.5, 257, Number.NaN]) expect(() => open(permits)).toThrow(/whole number from 1 to 256/)
  const locker = createLocker(createMemoryBackend({ clock: createFakeClock() }))
  expect(() => locker.semaphore('', { permits: 1 })).toThrow(/1 to \d+ bytes/)
  expect(() => locker.semaphore('x'.repeat(512), { permits: 1 })).toThrow(/1 to \d+ bytes/)
})

test('holders never exceed permits, the fences of a permit rise, and every caller is served', async () => {
  const worker = fc.record({
    startMs: fc.nat({ max: 300 }),
    holdMs: fc.nat({ max: 200 }),
    /** Dies without a release. */
    dies: fc.boolean(),
    givesUpMs: fc.option(fc.nat({ max: 200 })),
  })
  const run = fc.record({ permits: fc.integer({ min: 1, max: 4 }), workers: fc.array(worker, { maxLength: 12 }) })
  await fc.assert(
    fc.asyncProperty(run, async ({ permits, workers }) => {
      const { clock, backend } = setUp()
      let inside = 0
      const fences = new Map<string, bigint>()
      const work = workers.map(async ({ startMs, holdMs, dies, givesUpMs }) => {
        // the lease of a dead process is not renewed beyond its first length
        const limits = dies ? { ttlMs: 400, maxHoldMs: 400 } : {}
        const semaphore = createLocker(backend, { clock, ttlMs: 400, waitMs: 60_000 }).semaphore(NAME, { permits })
        await clock.sleep(startMs)
        const abort = new AbortController()
        if (givesUpMs !== null) clock.timer(givesUpMs, () => abort.abort('enough'))
        const grant = await semaphore.acquire({ ...limits, signal: abort.signal }).catch(codeOf)
        if (!isGrant(grant)) return expect(grant).toBe('enough')
        const { key, fence = 0n, signal } = grant
        expect(fence).toBeGreaterThan(fences.get(key) ?? 0n)
        fences.set(key, fence)
        expect(++inside).toBeLessThanOrEqual(permits)
        // a dead process counts as inside until it would have noticed the end of its lease
        if (dies) await aborted(signal)
        else await clock.sleep(holdMs)
        inside--
        if (!dies) await grant.release()
      })
      await whileTimePasses(clock, Promise.all(work))
      expect(inside).toBe(0)
    }),
    { numRuns: 60 },
  )
})

test('mutation: the property fails for a backend that grants a permit twice', async () => {
  const { backend } = setUp()
  const broken = {
    ...backend,
    tryAcquire: async ({ ttlMs }: LeaseRequest) => ({ kind: 'granted' as const, fence: 1n, ttlMs }),
  }
  const [one, other] = [createLocker(broken), createLocker(broken)].map((l) => l.semaphore(NAME, { permits: 1 }))
  const held = [await one?.acquire(), await other?.acquire()]
  expect(held.filter((grant) => grant?.isHeld()).length).toBeGreaterThan(1)
})
