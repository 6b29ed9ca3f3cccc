/** An option that is `undefined` behaves like an absent one. Callers without exactOptionalPropertyTypes may pass it. */
import { expect, test } from 'vitest'
import { createBreaker } from '../std/breaker.ts'
import { systemClock } from '../std/clock.ts'
import { createFakeClock } from '../testing/clock.ts'
import { createMemoryBackend } from './backends/memory/backend.ts'
import { createRedisLock } from './backends/redis/backend.ts'
import { createLocker } from './locker.ts'
import { policyOf } from './policy.ts'
import { openLockBackend } from './registry.ts'

test('every option of a locker', () => {
  const { clock: _, measures: __, random: ___, ...defaults } = policyOf({})
  for (const name of Object.keys(policyOf({}))) {
    const { clock, measures, random, ...policy } = policyOf({ [name]: undefined })
    expect(policy).toEqual(defaults)
    expect([clock, measures, random].includes(undefined as never), name).toBe(false)
  }
})

test('every option of an acquisition', async () => {
  const clock = createFakeClock()
  const locker = createLocker(createMemoryBackend({ clock }), { clock, ttlMs: undefined, waitMs: undefined })
  const options = { ttlMs: undefined, maxHoldMs: undefined, signal: undefined, waitMs: undefined }
  expect((await locker.acquire('a', options)).isHeld()).toBe(true)
  expect((await locker.tryAcquire('b', options)).kind).toBe('granted')
})

test('every option of the backends and of the breaker', async () => {
  // the types forbid this if exactOptionalPropertyTypes is on
  const given = (options: object): never => options as never
  expect(createMemoryBackend(given({ clock: systemClock, epoch: undefined })).capabilities.fencing).toBe('within-epoch')
  const settings = { commandTimeoutMs: undefined, connectTimeoutMs: undefined, connectionName: undefined }
  const redis = { namespace: undefined, settings }
  const lock = createRedisLock('redis://127.0.0.1:1', given({ clock: systemClock, log: undefined }), given(redis))
  await expect(lock.connect(AbortSignal.timeout(5_000))).rejects.toMatchObject({ code: 'REDIS_UNREACHABLE' })
  const context = given({ clock: undefined, log: undefined, fences: undefined })
  await using memory = await openLockBackend('memory:', context, AbortSignal.timeout(5_000))
  const attempt = await memory.tryAcquire({ key: 'k', token: 't', ttlMs: 100 }, AbortSignal.timeout(5_000))
  expect(attempt.kind).toBe('granted')
  const options = { thresholdPercent: undefined, volume: undefined, windowMs: undefined, restMs: undefined }
  using breaker = createBreaker(given(options))
  expect(
    await breaker.guard(
      async () => 1,
      () => false,
    ),
  ).toBe(1)
})
