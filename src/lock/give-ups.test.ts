/** Many callers that give up, and the errors of failed waits. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createBreaker } from '../std/breaker.ts'
import { systemClock } from '../std/clock.ts'
import { createFakeClock } from '../testing/clock.ts'
import { createFailingBackend } from '../testing/locks/failing-backend.ts'
import type { LockBackend } from './backend.ts'
import { createMemoryBackend } from './backends/memory/backend.ts'
import { createBackgroundReleases } from './engine/background-release.ts'
import { withBreaker } from './engine/decorate.ts'
import { createCallSignals } from './engine/waiting.ts'
import { createLocker } from './locker.ts'
import { aborted } from './outage.ts'
import type { LockerOptions } from './policy.ts'
import { newToken } from './token.ts'

const never = new AbortController().signal
const MANY = 1_500

function setUp(options: LockerOptions = {}) {
  const clock = createFakeClock()
  const backend = createFailingBackend(createMemoryBackend({ clock }), clock)
  const make = () => createLocker(backend, { clock, ttlMs: 30_000, waitMs: 5_000, ...options })
  return { clock, backend, locker: make(), other: make() }
}

const keysOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${i}`)

/**
 * Lets many callers give up their waits at once on `mine`, a view of the backend. Returns how many keys are not free
 * after their holders released them: held, or kept for a caller that left.
 */
async function leftBehind(mine: (backend: LockBackend) => LockBackend): Promise<{ held: number; kept: number }> {
  // a fake clock would scan all of these timers again and again
  const backend = createMemoryBackend({ clock: systemClock })
  const [locker, other] = [createLocker(mine(backend), { ttlMs: 60_000 }), createLocker(backend, { ttlMs: 60_000 })]
  const keys = keysOf(MANY)
  const held = await Promise.all(keys.map((key) => other.acquire(key)))
  const abort = new AbortController()
  const waiting = keys.map((key) => locker.acquire(key, { signal: abort.signal }).catch((why: unknown) => why))
  await turn()
  abort.abort('enough')
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['enough']))
  await turn()
  await Promise.all(held.map((grant) => grant.release()))
  const states = await Promise.all(keys.map((key) => backend.inspect(key, never)))
  const attempts = await Promise.all(
    keys.map((key) => backend.tryAcquire({ key, token: newToken(), ttlMs: 1_000 }, never)),
  )
  const notFree = states.filter(({ kind }) => kind !== 'free').length
  return { held: notFree, kept: attempts.filter(({ kind }) => kind !== 'granted').length - notFree }
}

test('after thousands give up at once under contention, no wait entry is left and no free key is held', async () => {
  expect(await leftBehind((backend) => backend)).toEqual({ held: 0, kept: 0 })
}, 60_000)

test('mutation: if give-ups beyond the first thousand are dropped, keys stay reserved for callers that left', async () => {
  const room = 1_000
  const dropping = (backend: LockBackend): LockBackend => {
    let underWay = 0
    return {
      ...createFailingBackend(backend, systemClock),
      async release(lease, signal) {
        if (underWay === room) return { kind: 'released' }
        underWay++
        await Promise.resolve()
        return backend.release(lease, signal).finally(() => underWay--)
      },
    }
  }
  expect(await leftBehind(dropping)).toEqual({ held: 0, kept: MANY - room })
}, 60_000)

test('after an outage, thousands of unanswered releases are repeated, a few calls at a time', async () => {
  const { clock, backend, locker } = setUp()
  const keys = keysOf(MANY)
  backend.trouble = 'deaf'
  const asked = keys.map((key) => locker.tryAcquire(key))
  await Promise.resolve()
  backend.trouble = 'down'
  for (const outcome of await Promise.all(asked)) expect(outcome.kind).toBe('unavailable')
  await clock.advance(0)
  const before = backend.calls.length
  await clock.advance(5_000)
  // one chunk per pause, and pauses grow to a second
  expect(backend.calls.length - before).toBeLessThan(MANY)
  backend.trouble = 'none'
  for (let i = 0; i < 100; i++) {
    // a chunk takes more turns than a fake clock waits for
    await turn()
    await clock.advance(20)
  }
  const states = await Promise.all(keys.map((key) => backend.inspect(key, never)))
  expect(states.filter(({ kind }) => kind !== 'free')).toEqual([])
}, 60_000)

test('if too many releases are pending, new calls are refused and no release is dropped', async () => {
  const { clock, backend } = setUp()
  const options = { clock, calls: createCallSignals(clock), callMs: 100, closeMs: 0, maxPending: 3 }
  const backgroundReleases = createBackgroundReleases(backend, options)
  backend.trouble = 'down'
  const leases = keysOf(5).map((key) => ({ key, token: newToken() }))
  for (const { key, token } of leases) {
    backend.trouble = 'none'
    await backend.tryAcquire({ key, token, ttlMs: 60_000 }, never)
    backend.trouble = 'down'
    backgroundReleases.releaseLater({ key, token }, clock.monotonicMs() + 60_000)
  }
  await clock.advance(0)
  expect(() => backgroundReleases.checkCapacity()).toThrow('have still to be released')
  backend.trouble = 'none'
  await clock.advance(2_000)
  backgroundReleases.checkCapacity()
  for (const { key } of leases) expect((await backend.inspect(key, never)).kind).toBe('free')
})

test('the first waiter of a key counts as a waiter', async () => {
  const { clock, locker, other } = setUp({ maxWaiting: 2 })
  const held = await Promise.all(['a', 'b', 'c'].map((key) => other.acquire(key)))
  const waiting = [locker.acquire('a'), locker.acquire('b')]
  await clock.advance(1)
  await expect(locker.acquire('c')).rejects.toMatchObject({ code: 'OVERLOADED', reason: 'overloaded' })
  await expect(locker.acquire('a')).rejects.toMatchObject({ code: 'OVERLOADED' })
  // a free key is granted without waiting
  expect((await locker.acquire('d')).isHeld()).toBe(true)
  for (const grant of held) await grant.release()
  for (const grant of await Promise.all(waiting)) expect(grant.isHeld()).toBe(true)
  expect((await locker.acquire('c')).isHeld()).toBe(true)
})

test('a wait shorter than the round trip ends with a timeout, not with an outage', async () => {
  const { clock, backend } = setUp()
  // responds after 20 ms, or when the caller gives up
  const far = createLocker(
    {
      ...backend,
      tryAcquire: async (request, signal) => {
        await clock.sleep(20, signal).catch(() => {})
        if (!signal.aborted) return backend.tryAcquire(request, signal)
        return aborted(signal)
      },
    },
    { clock },
  )
  const one = expect(far.acquire('k', { waitMs: 5 })).rejects.toMatchObject({
    code: 'LOCK_TIMEOUT',
    reason: 'unanswered',
  })
  const inLine = expect(far.acquire('k', { waitMs: 4 })).rejects.toMatchObject({ reason: 'unanswered' })
  const several = expect(far.acquire(['a', 'b'], { waitMs: 5 })).rejects.toMatchObject({ reason: 'unanswered' })
  await clock.advance(30)
  await Promise.all([one, inLine, several])
})

test('a queued waiter rejects with the last outcome of the first waiter: outage or held', async () => {
  const { clock, backend, locker, other } = setUp()
  const held = { code: 'LOCK_TIMEOUT', reason: 'held' }
  await other.acquire('held')
  const behindHolder = [1_000, 900, 1_000].map((waitMs) =>
    expect(locker.acquire('held', { waitMs })).rejects.toMatchObject(held),
  )
  await clock.advance(1_100)
  await Promise.all(behindHolder)
  backend.trouble = 'down'
  const outage = { code: 'LOCK_BACKEND_UNAVAILABLE', reason: 'unavailable' }
  const behindOutage = [1_000, 900, 1_000].map((waitMs) =>
    expect(locker.acquire('free', { waitMs })).rejects.toMatchObject(outage),
  )
  await clock.advance(500)
  expect(await locker.tryAcquire('free')).toMatchObject({ kind: 'unavailable' })
  await clock.advance(600)
  await Promise.all(behindOutage)
})

test('an outage that a breaker reports has the same kind as the outage itself', async () => {
  const { clock, backend } = setUp()
  using breaker = createBreaker({ volume: 1 })
  const locker = createLocker(withBreaker(backend, breaker), { clock, waitMs: 5 })
  backend.trouble = 'down'
  const failures = [locker.acquire('a'), locker.acquire('b'), locker.acquire('c')].map((wait) =>
    expect(wait).rejects.toMatchObject({ reason: 'unavailable' }),
  )
  await clock.advance(10)
  await Promise.all(failures)
  await expect(locker.acquire('d')).rejects.toMatchObject({ code: 'LOCK_BREAKER_OPEN', reason: 'unavailable' })
})
