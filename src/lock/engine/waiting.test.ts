import { expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { AcquireDeadline, createCallSignals, createWaiterLimit } from './waiting.ts'

function setUp(waitMs: number, parent?: AbortSignal) {
  const clock = createFakeClock()
  const calls = createCallSignals(clock)
  const timeoutError = (): IngotError => new IngotError('LOCK_TIMEOUT', 'time is up')
  return {
    clock,
    calls,
    deadline: new AcquireDeadline(
      { keys: ['k'], clock, calls, waitMs, timeoutError, parent, waiterLimit: createWaiterLimit(10) },
      clock.monotonicMs(),
    ),
  }
}

test('a call may take at least fifteen sixteenths of its time limit, and at most all of it', async () => {
  const { clock, calls } = setUp(0)
  const began = new Map<AbortSignal, number[]>()
  const lasted: number[] = []
  for (let i = 0; i < 100; i++) {
    const signal = calls.of(1_600, clock.monotonicMs())
    const times = began.get(signal) ?? []
    began.set(signal, [...times, clock.monotonicMs()])
    if (times.length === 0) {
      signal.addEventListener('abort', () => {
        for (const ms of began.get(signal) ?? []) lasted.push(clock.monotonicMs() - ms)
      })
    }
    await clock.advance(7)
  }
  await clock.advance(1_600)
  expect(lasted).toHaveLength(100)
  expect(Math.max(...lasted)).toBeLessThanOrEqual(1_600)
  expect(Math.min(...lasted)).toBeGreaterThan(1_500)
  expect(began.size).toBeLessThan(10)
})

test('calls of different lengths do not share a signal', () => {
  const { clock, calls } = setUp(0)
  expect(calls.of(100, clock.monotonicMs())).not.toBe(calls.of(200, clock.monotonicMs()))
})

test('a call that the end of the wait or the caller may end has its own signal', async () => {
  const { clock, deadline } = setUp(1_000)
  expect(deadline.shared(1_001, clock.monotonicMs())).toBeUndefined()
  expect(deadline.shared(1_000, clock.monotonicMs())).toBeDefined()
  using call = deadline.call(5_000)
  await clock.advance(1_000)
  expect(call.signal.reason).toMatchObject({ code: 'LOCK_TIMEOUT' })
  const abort = new AbortController()
  const mine = setUp(1_000, abort.signal)
  expect(mine.deadline.shared(10, mine.clock.monotonicMs())).toBeUndefined()
  using cut = mine.deadline.call(10)
  abort.abort('enough')
  expect(cut.signal.reason).toBe('enough')
})

test('detects a deadline that passed before anything waited for it', () => {
  const { clock, deadline } = setUp(1_000)
  expect(() => deadline.check()).not.toThrow()
  clock.block(1_001)
  expect(() => deadline.check()).toThrow('time is up')
})
