import { expect, test } from 'vitest'
import { createFakeClock } from '../testing/clock.ts'
import { createFailingBackend } from '../testing/locks/failing-backend.ts'
import { createMemoryBackend } from './backends/memory/backend.ts'
import { createLocker } from './locker.ts'
import { unavailable } from './outage.ts'
import type { LockerOptions } from './policy.ts'

const soon = (): AbortSignal => new AbortController().signal

function setUp(options: LockerOptions = {}) {
  const clock = createFakeClock()
  const backend = createFailingBackend(createMemoryBackend({ clock }), clock)
  const locker = createLocker(backend, { clock, ttlMs: 1_000, waitMs: 5_000, ...options })
  return { clock, backend, locker }
}

test('an extension covers a blocked event loop, and automatic renewal continues after it', async () => {
  const { clock, backend, locker } = setUp()
  const grant = await locker.acquire('k')
  const outcome = await grant.extend(10_000)
  expect(outcome.kind).toBe('extended')
  if (outcome.kind === 'extended') expect(outcome.remainingMs).toBeGreaterThan(9_800)
  clock.block(9_000)
  expect(grant.isHeld()).toBe(true)
  const before = backend.calls.filter((call) => call === 'extend').length
  await clock.advance(5_000)
  expect(grant.isHeld()).toBe(true)
  expect(backend.calls.filter((call) => call === 'extend').length).toBeGreaterThan(before)
  expect(await grant.release()).toEqual({ kind: 'released' })
})

test('automatic renewal never shortens a manual extension', async () => {
  const { clock, locker } = setUp()
  const grant = await locker.acquire('k')
  await clock.advance(300)
  await grant.extend(60_000)
  await clock.advance(1_000)
  expect(grant.remainingMs()).toBeGreaterThan(58_000)
  // shorter than the remaining time: it asks the backend, and does not shorten the lease
  expect((await grant.extend(100)).kind).toBe('extended')
  expect(grant.remainingMs()).toBeGreaterThan(58_000)
  const seen = await locker.inspect('k')
  expect(seen.kind === 'held' && (seen.remainingMs ?? 0) > 58_000).toBe(true)
})

test('each extension restarts the maximum hold time and is limited by it', async () => {
  const { clock, locker } = setUp({ maxHoldMs: 4_000 })
  const grant = await locker.acquire('k')
  for (let i = 0; i < 5; i++) {
    await clock.advance(3_000)
    expect((await grant.extend(100_000)).kind).toBe('extended')
    expect(grant.remainingMs()).toBeLessThanOrEqual(4_000)
  }
  await clock.advance(4_001)
  expect(grant.signal.reason).toMatchObject({ facts: { cause: 'overheld' } })
  expect(await grant.extend()).toEqual({ kind: 'lost' })
})

test('an extension of a lost lease returns lost, and the signal aborts', async () => {
  const { clock, backend, locker } = setUp()
  const grant = await locker.acquire('k')
  clock.block(1_100)
  await backend.tryAcquire({ key: 'k', token: 'another', ttlMs: 1_000 }, soon())
  expect(await grant.extend()).toEqual({ kind: 'lost' })
  expect(grant.signal.aborted).toBe(true)
  const released = await locker.acquire('j')
  await released.release()
  expect(await released.extend()).toEqual({ kind: 'lost' })
})

test('an unanswered extension changes nothing, and renewal continues', async () => {
  const { clock, backend, locker } = setUp()
  const grant = await locker.acquire('k')
  backend.trouble = 'down'
  expect((await grant.extend(10_000)).kind).toBe('unavailable')
  expect(grant.isHeld()).toBe(true)
  backend.trouble = 'none'
  await clock.advance(5_000)
  expect(grant.isHeld()).toBe(true)
})

test('several keys are extended together', async () => {
  const { locker } = setUp()
  const grant = await locker.acquire(['a', 'b'])
  expect((await grant.extend(5_000)).kind).toBe('extended')
  expect(grant.remainingMs()).toBeGreaterThan(4_900)
  await expect(grant.extend(-1)).rejects.toMatchObject({ code: 'LOCK_OPTION_INVALID' })
  await expect(grant.extend(Number.NaN)).rejects.toMatchObject({ code: 'LOCK_OPTION_INVALID' })
})

test('inspect returns the holder of a key, and unavailable during an outage', async () => {
  const { backend, locker } = setUp()
  expect(await locker.inspect('k')).toEqual({ kind: 'free' })
  const grant = await locker.acquire('k')
  expect(await locker.inspect('k')).toMatchObject({ kind: 'held', fence: grant.fence })
  const away = { ...backend, inspect: async () => unavailable('switched off') }
  expect((await createLocker(away).inspect('k')).kind).toBe('unavailable')
  await expect(locker.inspect('')).rejects.toMatchObject({ code: 'LOCK_KEY_INVALID' })
})

test('a lock without a maximum hold time is renewed without limit', async () => {
  const { clock, locker } = setUp()
  const grant = await locker.acquire('k', { maxHoldMs: Number.POSITIVE_INFINITY })
  for (let i = 0; i < 100; i++) await clock.advance(10_000)
  expect(grant.isHeld()).toBe(true)
})
