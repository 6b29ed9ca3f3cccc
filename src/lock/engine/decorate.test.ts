import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import { createBreaker } from '../../std/breaker.ts'
import { createMetrics } from '../../telemetry/metrics.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { createFailingBackend, withMany } from '../../testing/locks/failing-backend.ts'
import { createMemoryBackend } from '../backends/memory/backend.ts'
import { createLocker } from '../locker.ts'
import { createLockMeasures, unmeasured } from '../measure.ts'
import { newToken } from '../token.ts'
import { withBreaker, withTelemetry } from './decorate.ts'

// opossum measures time itself
beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const never = new AbortController().signal
const wanted = (key = newToken()) => ({ key, token: newToken(), ttlMs: 1_000 })

function setUp() {
  const clock = createFakeClock()
  const failing = createFailingBackend(createMemoryBackend({ clock }), clock)
  const breaker = createBreaker({ volume: 5, restMs: 1_000 })
  const backend = withBreaker(failing, breaker, unmeasured)
  return { clock, failing, breaker, backend }
}

test('opens after repeated outages, probes once after its rest, and closes when the probe succeeds', async () => {
  const { failing, breaker, backend } = setUp()
  failing.trouble = 'down'
  for (let i = 0; i < 5; i++) await backend.tryAcquire(wanted(), never)
  expect(breaker.state).toBe('open')
  const refused = await backend.tryAcquire(wanted(), never)
  expect(refused).toMatchObject({ kind: 'unavailable', error: { code: 'LOCK_BREAKER_OPEN' } })
  expect(failing.calls).toHaveLength(5)

  await vi.advanceTimersByTimeAsync(1_000)
  expect(breaker.state).toBe('half-open')
  const probes = await Promise.all([1, 2, 3].map(() => backend.tryAcquire(wanted(), never)))
  expect(failing.calls).toHaveLength(6)
  expect(probes.map((p) => p.kind)).toEqual(['unavailable', 'unavailable', 'unavailable'])
  expect(breaker.state).toBe('open')

  failing.trouble = 'none'
  await vi.advanceTimersByTimeAsync(1_000)
  expect((await backend.tryAcquire(wanted(), never)).kind).toBe('granted')
  expect(breaker.state).toBe('closed')
})

test('contention does not count as a failure', async () => {
  const { breaker, backend } = setUp()
  await backend.tryAcquire(wanted('k'), never)
  for (let i = 0; i < 50; i++) expect((await backend.tryAcquire(wanted('k'), never)).kind).toBe('held')
  expect(breaker.state).toBe('closed')
})

test('an aborted call does not count as a failure, but a timed-out call does', async () => {
  const { breaker, backend } = setUp()
  const gone = AbortSignal.abort(new Error('gone'))
  for (let i = 0; i < 20; i++) expect((await backend.tryAcquire(wanted(), gone)).kind).toBe('unavailable')
  expect(breaker.state).toBe('closed')
  const late = AbortSignal.abort(new IngotError('LOCK_BACKEND_UNAVAILABLE', 'late'))
  for (let i = 0; i < 40; i++) await backend.tryAcquire(wanted(), late)
  expect(breaker.state).toBe('open')
})

test('an open breaker still extends and releases held locks', async () => {
  const { clock, failing, breaker, backend } = setUp()
  const locker = createLocker(backend, { clock, ttlMs: 1_000 })
  const grant = await locker.acquire('k')
  failing.trouble = 'down'
  for (let i = 0; i < 10; i++) await backend.tryAcquire(wanted(), never)
  failing.trouble = 'none'
  expect(breaker.state).toBe('open')
  await clock.advance(3_000)
  expect(grant.isHeld()).toBe(true)
  expect(await grant.release()).toEqual({ kind: 'released' })
})

test('waiting ends at once when the breaker is open', async () => {
  const { clock, failing, backend } = setUp()
  const locker = createLocker(backend, { clock })
  failing.trouble = 'down'
  for (let i = 0; i < 5; i++) await backend.tryAcquire(wanted(), never)
  await expect(locker.acquire('k')).rejects.toMatchObject({ code: 'LOCK_BREAKER_OPEN' })
})

test('tryAcquireMany is guarded too, and stays absent if the backend lacks it', async () => {
  const { failing, breaker, backend } = setUp()
  expect('tryAcquireMany' in backend).toBe(false)
  const many = withBreaker(withMany(failing), breaker, unmeasured)
  failing.trouble = 'down'
  for (let i = 0; i < 5; i++) await many.tryAcquireMany?.([wanted(), wanted()], never)
  expect(await many.tryAcquireMany?.([wanted(), wanted()], never)).toMatchObject([
    { error: { code: 'LOCK_BREAKER_OPEN' } },
    { error: { code: 'LOCK_BREAKER_OPEN' } },
  ])
})

test('counts calls, waits, holds, losses and the state of the breaker', async () => {
  const { clock, failing, breaker } = setUp()
  const metrics = createMetrics()
  const measures = createLockMeasures(metrics)
  const backend = withTelemetry(withBreaker(withMany(failing), breaker, measures), measures, clock)
  const locker = createLocker(backend, { clock, measures, ttlMs: 1_000 })
  const [first] = [await locker.acquire('k'), await locker.acquire(['a', 'b'])]
  expect((await locker.tryAcquire('k')).kind).toBe('held')
  await createLocker(backend, { clock }).tryAcquire('k')
  await first.release()
  failing.trouble = 'down'
  await clock.advance(2_000)
  for (let i = 0; i < 20; i++) await backend.tryAcquire(wanted(), never)
  measures.staleWrite('sqlite')
  const { body } = await metrics.render()
  for (const line of [
    'ingot_lock_call_seconds_count{backend="memory",call="tryAcquire",outcome="granted"} 1',
    'ingot_lock_call_seconds_count{backend="memory",call="tryAcquire",outcome="held"} 1',
    'ingot_lock_call_seconds_count{backend="memory",call="tryAcquireMany",outcome="granted"} 1',
    'ingot_lock_wait_seconds_count{backend="memory",outcome="granted"} 2',
    'ingot_lock_hold_seconds_count{backend="memory"} 3',
    'ingot_lock_lost_total{backend="memory",cause="expired"} 2',
    'ingot_lock_breaker_state{backend="memory",state="open"} 1',
    'ingot_lock_breaker_state{backend="memory",state="closed"} 0',
    'ingot_lock_stale_writes_total{store="sqlite"} 1',
  ]) {
    expect(body).toContain(line)
  }
})
