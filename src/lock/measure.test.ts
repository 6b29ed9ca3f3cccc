/** The gauges of locks follow the locker: calls that wait, and locks that are held. */
import { expect, test } from 'vitest'
import { createMetrics } from '../telemetry/metrics.ts'
import { createFakeClock } from '../testing/clock.ts'
import { createMemoryBackend } from './backends/memory/backend.ts'
import { createLocker } from './locker.ts'
import { createLockMeasures } from './measure.ts'

test('locks that are held and calls that wait are counted while they last', async () => {
  const clock = createFakeClock()
  const backend = createMemoryBackend({ clock })
  const metrics = createMetrics()
  const locker = createLocker(backend, { clock, ttlMs: 1_000, measures: createLockMeasures(metrics) })
  const other = createLocker(backend, { clock, ttlMs: 1_000 })
  const now = async (): Promise<readonly number[]> => {
    const { body } = await metrics.render()
    const names = ['ingot_locks_held', 'ingot_locks_waiting']
    return names.map((name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(body)?.[1]))
  }
  expect(await now()).toEqual([0, 0])
  const foreign = await other.acquire('k')
  const own = await locker.acquire('own')
  const waiting = locker.acquire('k', { waitMs: 5_000 })
  expect(await now()).toEqual([1, 1])
  await foreign.release()
  await clock.advance(100)
  const granted = await waiting
  expect(await now()).toEqual([2, 0])
  await granted.release()
  await own.release()
  expect(await now()).toEqual([0, 0])
})

test('a caller that gives up waits no longer', async () => {
  const clock = createFakeClock()
  const backend = createMemoryBackend({ clock })
  const metrics = createMetrics()
  const locker = createLocker(backend, { clock, ttlMs: 1_000, measures: createLockMeasures(metrics) })
  await createLocker(backend, { clock, ttlMs: 60_000 }).acquire('k')
  const given = new AbortController()
  const waiting = locker.acquire('k', { waitMs: 5_000, signal: given.signal }).catch(() => 'gave up')
  given.abort(new Error('enough'))
  expect(await waiting).toBe('gave up')
  expect((await metrics.render()).body).toContain('ingot_locks_waiting 0\n')
})
