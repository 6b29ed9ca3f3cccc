import { once } from 'node:events'
import { expect, test } from 'vitest'
import { IngotError } from '../errors/error.ts'
import { createFakeClock } from '../testing/clock.ts'
import { createFailingBackend, withMany } from '../testing/locks/failing-backend.ts'
import { createMemoryBackend } from './backends/memory/backend.ts'
import { createLocker } from './locker.ts'
import type { LockerOptions } from './policy.ts'
import { newToken } from './token.ts'

const never = new AbortController().signal

function setUp(options: LockerOptions = {}) {
  const clock = createFakeClock()
  const backend = createFailingBackend(createMemoryBackend({ clock }), clock)
  const locker = createLocker(backend, { clock, ttlMs: 1_000, waitMs: 5_000, ...options })
  const other = createLocker(backend, { clock, ttlMs: 1_000, waitMs: 5_000, ...options })
  return { clock, backend, locker, other }
}

const codeOf = (thrown: unknown): unknown => (thrown instanceof IngotError ? thrown.code : thrown)

/** Returns the code of the error that it rejects with, once it has rejected. */
function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => 'resolved', codeOf)
}

test('a waiter is granted the key when its holder releases, with a greater fence', async () => {
  const { clock, locker, other } = setUp()
  const first = await locker.acquire('k')
  const waiting = other.acquire('k')
  await clock.advance(300)
  expect(await first.release()).toEqual({ kind: 'released' })
  const second = await waiting
  // a release is not a loss
  expect(first.signal.aborted).toBe(false)
  expect(second.fence).toBeGreaterThan(first.fence)
  expect(second.isHeld()).toBe(true)
  expect(first.isHeld()).toBe(false)
})

test('waiting ends with an error when the time is up, and leaves no wait entry', async () => {
  const { clock, backend, locker, other } = setUp()
  const held = await locker.acquire('k')
  const outcome = failure(other.acquire('k', { waitMs: 500 }))
  await clock.advance(501)
  expect(await outcome).toBe('LOCK_TIMEOUT')
  await held.release()
  expect((await backend.tryAcquire({ key: 'k', token: newToken(), ttlMs: 100 }, never)).kind).toBe('granted')
})

test('waiting ends with the reason of the signal, at the backend and in the local queue', async () => {
  const { clock, locker, other } = setUp()
  await locker.acquire('k')
  const abort = new AbortController()
  const atBackend = failure(other.acquire('k', { signal: abort.signal }))
  const inLine = failure(other.acquire('k', { signal: abort.signal }))
  await clock.advance(10)
  abort.abort('enough')
  expect(await atBackend).toBe('enough')
  expect(await inLine).toBe('enough')
})

test('a waiter that gave up in the local queue does not delay the waiters behind it', async () => {
  const { clock, locker } = setUp()
  const held = await locker.acquire('k')
  const abort = new AbortController()
  const quitter = failure(locker.acquire('k', { signal: abort.signal }))
  const next = locker.acquire('k')
  await clock.advance(10)
  abort.abort('enough')
  expect(await quitter).toBe('enough')
  await held.release()
  await clock.advance(10)
  expect((await next).isHeld()).toBe(true)
})

test('of 20 waiters in one process only one calls the backend, and all are served once, in order', async () => {
  const { clock, backend, locker, other } = setUp()
  const held = await other.acquire('k')
  const served: number[] = []
  const fences: bigint[] = []
  const all = Array.from({ length: 20 }, async (_, n) => {
    await using grant = await locker.acquire('k', { waitMs: 60_000 })
    served.push(n)
    fences.push(grant.fence)
    await clock.sleep(10)
  })
  await clock.advance(100)
  expect(backend.calls.filter((c) => c === 'tryAcquire')).toHaveLength(2)
  await held.release()
  await clock.advance(2_000)
  await Promise.all(all)
  expect(served).toEqual(Array.from({ length: 20 }, (_, n) => n))
  expect(fences).toEqual(fences.toSorted((a, b) => (a < b ? -1 : 1)))
  // one for the holder, one refusal, then one for each waiter
  expect(backend.calls.filter((c) => c === 'tryAcquire')).toHaveLength(22)
})

test('a held lock is renewed beyond its time to live, up to the maximum hold time', async () => {
  const { clock, locker, other } = setUp({ maxHoldMs: 4_000 })
  const grant = await locker.acquire('k')
  await clock.advance(3_500)
  expect(grant.isHeld()).toBe(true)
  expect((await other.tryAcquire('k')).kind).toBe('held')
  await clock.advance(499)
  expect(grant.signal.aborted).toBe(true)
  expect(codeOf(grant.signal.reason)).toBe('LOCK_LOST')
  expect(grant.signal.reason).toMatchObject({ facts: { cause: 'overheld' } })
  await clock.advance(20)
  expect((await other.tryAcquire('k')).kind).toBe('granted')
})

test('if renewals fail, the signal aborts before the lease ends', async () => {
  const { clock, backend, locker } = setUp()
  const grant = await locker.acquire('k')
  const { signal } = grant
  let heldWhenFired: unknown
  signal.addEventListener('abort', () => void backend.inspect('k', never).then((i) => (heldWhenFired = i.kind)))
  backend.trouble = 'down'
  await clock.advance(999)
  expect(signal.aborted).toBe(true)
  expect(signal.reason).toMatchObject({ code: 'LOCK_LOST', facts: { cause: 'expired' } })
  expect(heldWhenFired).toBe('held')
  // the renewal was repeated until the end, not tried once
  expect(backend.calls.filter((c) => c === 'extend').length).toBeGreaterThan(2)
})

test('an outage shorter than the lease loses no lock', async () => {
  const { clock, backend, locker } = setUp()
  const grant = await locker.acquire('k')
  backend.trouble = 'down'
  await clock.advance(800)
  backend.trouble = 'none'
  await clock.advance(2_000)
  expect(grant.isHeld()).toBe(true)
  expect(await grant.release()).toEqual({ kind: 'released' })
})

test('after a blocked event loop, isHeld is false before any timer has run', async () => {
  const { clock, locker } = setUp()
  const grant = await locker.acquire('k')
  const early = grant.signal
  clock.block(1_500)
  // the timer has not run, so a kept signal has not aborted
  expect(early.aborted).toBe(false)
  expect(grant.isHeld()).toBe(false)
  expect(() => grant.assertHeld()).toThrow(IngotError)
  expect(grant.signal.aborted).toBe(true)
  expect(early.aborted).toBe(true)
})

test('reading the signal detects a loss after a blocked event loop', async () => {
  const { clock, locker } = setUp()
  const grant = await locker.acquire('k')
  clock.block(1_500)
  expect(grant.signal.aborted).toBe(true)
})

test('a block that is shorter than the lease loses no lock', async () => {
  const { clock, locker, other } = setUp()
  const grant = await locker.acquire('k')
  clock.block(900)
  await clock.advance(1)
  expect(grant.isHeld()).toBe(true)
  await clock.advance(900)
  expect(grant.isHeld()).toBe(true)
  expect((await other.tryAcquire('k')).kind).toBe('held')
})

test('the wall clock has no effect', async () => {
  const { clock, locker, other } = setUp()
  const grant = await locker.acquire('k')
  clock.jumpWall(86_400_000)
  expect(grant.isHeld()).toBe(true)
  clock.jumpWall(-2 * 86_400_000)
  await clock.advance(5_000)
  expect(grant.isHeld()).toBe(true)
  expect((await other.tryAcquire('k')).kind).toBe('held')
})

test('a lease that the service has lost is lost at the next renewal, and release returns lost', async () => {
  const { clock, backend, locker } = setUp()
  const grant = await locker.acquire('k')
  // like a failover that loses the key
  await backend[Symbol.asyncDispose]()
  await clock.advance(400)
  expect(grant.signal.reason).toMatchObject({ code: 'LOCK_LOST', facts: { cause: 'taken' } })
  expect(await grant.release()).toEqual({ kind: 'lost' })
})

test('a late release returns lost', async () => {
  const { clock, backend, locker } = setUp()
  const grant = await locker.acquire('k')
  clock.block(1_100)
  expect((await backend.tryAcquire({ key: 'k', token: newToken(), ttlMs: 1_000 }, never)).kind).toBe('granted')
  expect(await grant.release()).toEqual({ kind: 'lost' })
})

test('a command whose reply was lost is granted to its sender at the next attempt', async () => {
  const { clock, backend, locker } = setUp()
  backend.trouble = 'deaf'
  const waiting = locker.acquire('k')
  await clock.advance(5)
  backend.trouble = 'none'
  await clock.advance(1_000)
  const grant = await waiting
  expect(grant.isHeld()).toBe(true)
  // a second grant would have got the next number
  expect(grant.fence).toBe(1n)
})

test('an attempt whose reply was lost leaves no lease behind', async () => {
  const { clock, backend, locker, other } = setUp()
  backend.trouble = 'deaf'
  expect((await locker.tryAcquire('k')).kind).toBe('unavailable')
  backend.trouble = 'none'
  await clock.advance(10)
  expect((await other.tryAcquire('k')).kind).toBe('granted')
})

test.each([
  ['one by one', false],
  ['in one exchange', true],
])('one attempt at several keys %s whose reply was lost leaves none of them locked', async (_, many) => {
  const { clock, backend, other } = setUp()
  const locker = createLocker(many ? withMany(backend) : backend, { clock, ttlMs: 60_000 })
  backend.trouble = 'deaf'
  expect((await locker.tryAcquire(['a', 'b', 'c'])).kind).toBe('unavailable')
  backend.trouble = 'none'
  await clock.advance(2_000)
  expect((await other.tryAcquire(['a', 'b', 'c'])).kind).toBe('granted')
})

test('the release of an unanswered attempt is repeated until the backend is back', async () => {
  const { clock, backend, locker, other } = setUp({ ttlMs: 30_000 })
  backend.trouble = 'dying'
  expect((await locker.tryAcquire('k')).kind).toBe('unavailable')
  await clock.advance(1)
  expect(backend.calls).toEqual(['tryAcquire', 'release'])
  backend.trouble = 'none'
  await clock.advance(4_000)
  expect((await other.tryAcquire('k')).kind).toBe('granted')
})

test('an unanswered release is repeated through an outage, up to the end of the lease', async () => {
  const { clock, backend, locker, other } = setUp({ ttlMs: 30_000 })
  const grant = await locker.acquire('k')
  backend.trouble = 'down'
  expect((await grant.release()).kind).toBe('unavailable')
  await clock.advance(6_000)
  backend.trouble = 'none'
  await clock.advance(1_000)
  expect((await other.tryAcquire('k')).kind).toBe('granted')
})

test('no release is repeated after the lease has ended', async () => {
  const { clock, backend, locker } = setUp()
  const grant = await locker.acquire('k')
  backend.trouble = 'down'
  await grant.release()
  await clock.advance(1_000)
  const asked = backend.calls.length
  await clock.advance(10_000)
  expect(backend.calls.length).toBe(asked)
})

test('closing during an outage repeats releases for closeMs, then lets the lease expire', async () => {
  const { clock, backend, locker } = setUp({ ttlMs: 30_000, closeMs: 3_000 })
  const grant = await locker.acquire('k')
  backend.trouble = 'down'
  await grant.release()
  let closed = false
  const closing = locker[Symbol.asyncDispose]().then(() => void (closed = true))
  await clock.advance(2_000)
  expect(closed).toBe(false)
  await clock.advance(2_001)
  await closing
})

test('a grant that arrives after its lease has ended is refused and released', async () => {
  const { clock, backend, locker, other } = setUp()
  backend.trouble = 'slow'
  backend.slowMs = 2_000
  const outcome = locker.tryAcquire('k')
  await clock.advance(2_001)
  expect((await outcome).kind).toBe('unavailable')
  backend.trouble = 'none'
  await clock.advance(10_000)
  expect((await other.tryAcquire('k')).kind).toBe('granted')
})

test('a lost wake-up delays a waiter by recheckMs at most', async () => {
  const { clock, backend, locker } = setUp({ recheckMs: 700 })
  const deaf = createLocker(
    { ...backend, wait: (_, __, signal) => once(signal, 'abort').then(() => undefined) },
    { clock },
  )
  const held = await locker.acquire('k')
  const waiting = deaf.acquire('k', { waitMs: 5_000 })
  await clock.advance(100)
  await held.release()
  await clock.advance(2_000)
  expect((await waiting).isHeld()).toBe(true)
})

test('a waiter that is woken immediately retries immediately', async () => {
  const { clock, locker, other } = setUp({ random: () => 1 })
  const held = await other.acquire('k')
  let granted = false
  const waiting = locker.acquire('k').then((grant) => {
    granted = true
    return grant
  })
  await clock.advance(1)
  await held.release()
  await clock.advance(0)
  expect(granted).toBe(true)
  expect((await waiting).isHeld()).toBe(true)
})

test('spurious wake-ups do not cause a busy loop', async () => {
  const { clock, backend, locker, other } = setUp({ random: () => 0.5 })
  const hasty = createLocker({ ...backend, wait: async () => {} }, { clock, random: () => 0.5 })
  await other.acquire('k')
  expect(await locker.tryAcquire('k')).toMatchObject({ kind: 'held' })
  const outcome = failure(hasty.acquire('k', { waitMs: 1_000 }))
  await clock.advance(1_001)
  expect(await outcome).toBe('LOCK_TIMEOUT')
  expect(backend.calls.length).toBeLessThan(25)
})

test('an outage as long as the wait is reported as an outage, not as contention', async () => {
  const { clock, backend, locker } = setUp()
  backend.trouble = 'down'
  const outcome = failure(locker.acquire('k', { waitMs: 800 }))
  await clock.advance(801)
  expect(await outcome).toBe('LOCK_BACKEND_UNAVAILABLE')
})

test('withLock releases after the work, also if the work fails', async () => {
  const { locker } = setUp()
  expect(await locker.withLock('k', async (grant) => grant.fence)).toBe(1n)
  expect(await locker.withLock(['b', 'a'], async (grant) => grant.keys)).toEqual(['a', 'b'])
  await expect(locker.withLock('k', () => Promise.reject(new Error('work')))).rejects.toThrow('work')
  expect((await locker.tryAcquire('k')).kind).toBe('granted')
})

test('withLock rejects if the lease ended before the work', async () => {
  const { clock, locker } = setUp()
  const work = locker.withLock('k', async () => {
    clock.block(1_100)
    return 'done'
  })
  expect(await failure(work)).toBe('LOCK_LOST')
})

test('the loss of a lock admits the next local waiter to the backend', async () => {
  const { clock, locker } = setUp({ maxHoldMs: 1_500 })
  await locker.acquire('k')
  const next = locker.acquire('k')
  await clock.advance(1_600)
  expect((await next).isHeld()).toBe(true)
})

test.each([
  ['one by one', false],
  ['in one exchange', true],
])('several keys are acquired %s, sorted, each once, and released together', async (_, many) => {
  const { clock, backend, other } = setUp()
  const locker = createLocker(many ? withMany(backend) : backend, { clock })
  const grant = await locker.acquire(['c', 'a', 'b', 'a'])
  expect(grant.keys).toEqual(['a', 'b', 'c'])
  expect(new Set(grant.keys.map((key) => grant.fenceOf(key))).size).toBe(3)
  expect(() => grant.fenceOf('d')).toThrow(IngotError)
  for (const key of ['a', 'b', 'c']) expect((await other.tryAcquire(key)).kind).toBe('held')
  expect(await grant.release()).toEqual({ kind: 'released' })
  expect((await other.tryAcquire(['a', 'b', 'c'])).kind).toBe('granted')
})

test.each([
  ['one by one', false],
  ['in one exchange', true],
])('of several keys requested %s, none is kept if one is not granted', async (_, many) => {
  const { clock, backend, other } = setUp()
  const locker = createLocker(many ? withMany(backend) : backend, { clock })
  const held = await other.acquire('b')
  const outcome = failure(locker.acquire(['a', 'b', 'c'], { waitMs: 300 }))
  expect(await locker.tryAcquire(['b', 'x'])).toMatchObject({ kind: 'held', key: 'b' })
  await clock.advance(310)
  expect(await outcome).toBe('LOCK_TIMEOUT')
  expect((await other.tryAcquire(['a', 'c', 'x'])).kind).toBe('granted')
  await held.release()
  expect((await other.tryAcquire('b')).kind).toBe('granted')
})

test.each([false, true])('callers that request the same keys in any order do not block each other', async (many) => {
  const { clock, backend } = setUp()
  const make = () => createLocker(many ? withMany(backend) : backend, { clock, waitMs: 60_000 })
  const lockers = [make(), make(), make()]
  let served = 0
  const all = lockers.flatMap((locker, n) =>
    Array.from({ length: 5 }, async () => {
      await using _ = await locker.acquire(n === 1 ? ['b', 'c', 'a'] : ['c', 'a', 'b'])
      await clock.sleep(5)
      served++
    }),
  )
  await clock.advance(20_000)
  expect(served).toBe(15)
  await Promise.all(all)
})

test('losing one key of several loses all of them', async () => {
  const { clock, backend, locker } = setUp()
  const grant = await locker.acquire(['a', 'b'])
  expect(grant.remainingMs()).toBeGreaterThan(0)
  backend.trouble = 'down'
  await clock.advance(1_000)
  expect(grant.signal.aborted).toBe(true)
  expect(grant.isHeld()).toBe(false)
})

test('rejects invalid keys and options', async () => {
  const { locker } = setUp({ maxWaiting: 1 })
  expect(await failure(locker.acquire(''))).toBe('LOCK_KEY_INVALID')
  expect(await failure(locker.acquire('é'.repeat(257)))).toBe('LOCK_KEY_INVALID')
  expect(await failure(locker.acquire('\ud800'))).toBe('LOCK_KEY_INVALID')
  expect(await failure(locker.acquire([]))).toBe('LOCK_KEY_INVALID')
  expect(await failure(locker.acquire('k', { ttlMs: 0 }))).toBe('LOCK_OPTION_INVALID')
  expect(await failure(locker.acquire('k', { ttlMs: 5 }))).toBe('LOCK_OPTION_INVALID')
  expect(await failure(locker.acquire('k', { waitMs: Number.NaN }))).toBe('LOCK_OPTION_INVALID')
  expect(() => setUp({ ttlMs: 1e10 })).toThrow(IngotError)
  await locker.acquire('k')
  const waiting = failure(locker.acquire('k', { signal: AbortSignal.abort('gone') }))
  expect(await waiting).toBe('gone')
  void failure(locker.acquire('k', { waitMs: 100 }))
  expect(await failure(locker.acquire('k'))).toBe('OVERLOADED')
})

test('a closed locker refuses new calls, and closing waits for running releases', async () => {
  const { locker, other } = setUp()
  const grant = await locker.acquire('k')
  grant.releaseSoon()
  await locker[Symbol.asyncDispose]()
  expect((await other.tryAcquire('k')).kind).toBe('granted')
  expect(await failure(locker.acquire('k'))).toBe('SHUTTING_DOWN')
})
