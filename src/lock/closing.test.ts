/** Effects of disposing a locker on waiters and on pending releases. */
import { afterEach, expect, test, vi } from 'vitest'
import { createFakeClock } from '../testing/clock.ts'
import { createFailingBackend, withMany } from '../testing/locks/failing-backend.ts'
import { createMemoryBackend } from './backends/memory/backend.ts'
import { AcquireDeadline } from './engine/waiting.ts'
import { createLocker } from './locker.ts'
import { aborted } from './outage.ts'
import { newToken } from './token.ts'

const never = new AbortController().signal
const closed = { code: 'SHUTTING_DOWN', reason: 'closed' }

function setUp() {
  const clock = createFakeClock()
  const backend = createFailingBackend(createMemoryBackend({ clock }), clock)
  const locker = createLocker(backend, { clock, ttlMs: 30_000, waitMs: 60_000 })
  const other = createLocker(backend, { clock, ttlMs: 30_000, waitMs: 60_000 })
  return { clock, backend, locker, other }
}

afterEach(() => void vi.restoreAllMocks())

/** Disposes a locker with three waiters. Returns how many waits have ended before any time passes. */
async function endedByClosing(keys: readonly string[]): Promise<number> {
  const { clock, locker, other } = setUp()
  await other.acquire('k')
  let ended = 0
  const waiting = [keys, keys, keys].map((wanted) => locker.acquire(wanted).catch(() => ended++))
  await clock.advance(10)
  const closing = locker[Symbol.asyncDispose]()
  await clock.advance(0)
  const atOnce = ended
  await clock.advance(60_000)
  await Promise.all([...waiting, closing])
  return atOnce
}

test('closing ends every waiter before any time passes', async () => {
  expect([await endedByClosing(['k']), await endedByClosing(['a', 'k'])]).toEqual([3, 3])
})

test('mutation: if closing does not end the waits, no waiter ends before its own time is up', async () => {
  vi.spyOn(AcquireDeadline.prototype, 'end').mockImplementation(() => {})
  expect([await endedByClosing(['k']), await endedByClosing(['a', 'k'])]).toEqual([0, 0])
})

test.each([
  ['one key', ['k']],
  ['several keys', ['a', 'k']],
])('closing ends a wait for %s at once, and leaves no entry in the queue', async (_, keys) => {
  const { clock, backend, locker, other } = setUp()
  const held = await other.acquire('k')
  const waiting = [locker.acquire(keys), locker.acquire(keys), locker.acquire('k', { signal: never })]
  const ends = waiting.map((wait) => expect(wait).rejects.toMatchObject(closed))
  await clock.advance(10)
  const beganMs = clock.monotonicMs()
  await locker[Symbol.asyncDispose]()
  await Promise.all(ends)
  expect(clock.monotonicMs()).toBe(beganMs)
  await held.release()
  for (const key of ['a', 'k']) {
    expect((await backend.tryAcquire({ key, token: newToken(), ttlMs: 100 }, never)).kind).toBe('granted')
  }
})

test('closing ends an unanswered attempt and releases what it may have acquired', async () => {
  const { clock, backend, locker, other } = setUp()
  // follows the rules of the port: an aborted signal ends the call, but the command has taken effect
  const slow = createLocker(
    {
      ...backend,
      tryAcquire: async (request, signal) => {
        const answer = await backend.tryAcquire(request, signal)
        await clock.sleep(60_000, signal).catch(() => {})
        return signal.aborted ? aborted(signal) : answer
      },
    },
    { clock, ttlMs: 30_000, waitMs: 60_000 },
  )
  const ends = [
    expect(slow.acquire('a')).rejects.toMatchObject(closed),
    expect(slow.tryAcquire('b')).rejects.toMatchObject(closed),
    expect(slow.tryAcquire('c', { signal: never })).rejects.toMatchObject(closed),
    expect(slow.tryAcquire(['d', 'e'])).rejects.toMatchObject(closed),
  ]
  await clock.advance(10)
  await slow[Symbol.asyncDispose]()
  await Promise.all(ends)
  expect((await other.tryAcquire(['a', 'b', 'c', 'd', 'e'])).kind).toBe('granted')
  await locker[Symbol.asyncDispose]()
})

test('closing during an outage retries each release once, then returns', async () => {
  const { clock, backend, locker } = setUp()
  const grants = await Promise.all(['a', 'b', 'c'].map((key) => locker.acquire(key)))
  backend.trouble = 'down'
  for (const grant of grants) expect((await grant.release()).kind).toBe('unavailable')
  await clock.advance(0)
  const asked = backend.calls.length
  const beganMs = clock.monotonicMs()
  await locker[Symbol.asyncDispose]()
  expect(clock.monotonicMs()).toBe(beganMs)
  expect(backend.calls.slice(asked)).toEqual(['release', 'release', 'release'])
  await clock.advance(40_000)
  expect(backend.calls).toHaveLength(asked + 3)
})

test('the last attempt of a closing locker releases locks that a recovered service still holds', async () => {
  const { clock, backend, locker, other } = setUp()
  const multi = await createLocker(withMany(backend), { clock }).acquire(['x', 'y'])
  const grant = await locker.acquire('k')
  backend.trouble = 'down'
  await grant.release()
  backend.trouble = 'none'
  await locker[Symbol.asyncDispose]()
  expect((await other.tryAcquire('k')).kind).toBe('granted')
  expect(multi.isHeld()).toBe(true)
})
