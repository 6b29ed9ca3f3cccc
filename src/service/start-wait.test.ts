import { expect, test } from 'vitest'
import { IngotError } from '../errors/error.ts'
import { silentLog } from '../telemetry/log.ts'
import { createFakeClock } from '../testing/clock.ts'
import { createStartWait, type Opening } from './start-wait.ts'

const opening = <T>(attempt: (signal: AbortSignal) => Promise<T>): Opening<T> => ({
  what: 'store',
  attemptMs: 10_000,
  late: 'STORE_UNAVAILABLE',
  attempt,
})

const absent = new IngotError('STORE_UNAVAILABLE', 'not there yet')

function failing(times: number, error: IngotError): { open: () => Promise<string>; calls: () => number } {
  let calls = 0
  const open = async (): Promise<string> => {
    if (++calls <= times) throw error
    return 'open'
  }
  return { open, calls: () => calls }
}

function starting(waitMs: number, signal = new AbortController().signal) {
  const clock = createFakeClock()
  return { clock, wait: createStartWait({ clock, log: silentLog, signal }, waitMs) }
}

test('waits for a dependency that starts later', async () => {
  const { clock, wait } = starting(60_000)
  const opened = wait(opening(failing(5, absent).open))
  await clock.advance(30_000)
  expect(await opened).toBe('open')
})

test('gives up at its deadline with the last failure', async () => {
  const { clock, wait } = starting(5_000)
  const { open, calls } = failing(Number.POSITIVE_INFINITY, absent)
  const refused = expect(wait(opening(open))).rejects.toBe(absent)
  await clock.advance(20_000)
  await refused
  expect(calls()).toBeGreaterThan(2)
})

test.each([
  ['without a wait', 0, absent],
  ['a failure that does not pass by itself', 60_000, new IngotError('REDIS_ACCESS_REFUSED', 'wrong password')],
])('tries once %s', async (_what, waitMs, error) => {
  const { open, calls } = failing(1, error)
  await expect(starting(waitMs).wait(opening(open))).rejects.toBe(error)
  expect(calls()).toBe(1)
})

test('ends with the process', async () => {
  const controller = new AbortController()
  const { clock, wait } = starting(60_000, controller.signal)
  const refused = expect(wait(opening(failing(100, absent).open))).rejects.toThrow('SIGTERM')
  await clock.advance(3_000)
  controller.abort(new Error('ended by SIGTERM'))
  await clock.advance(3_000)
  await refused
})

test('retries an attempt that takes too long', async () => {
  const { clock, wait } = starting(60_000)
  const signals: AbortSignal[] = []
  const attempt = (signal: AbortSignal): Promise<string> => {
    signals.push(signal)
    if (signals.length > 1) return Promise.resolve('open')
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  const opened = wait(opening(attempt))
  await clock.advance(9_900)
  expect(signals).toHaveLength(1)
  await clock.advance(3_000)
  expect(await opened).toBe('open')
  expect(signals[0]?.reason).toMatchObject({ code: 'STORE_UNAVAILABLE' })
})

test('bounds the last attempt too', async () => {
  const { clock, wait } = starting(0)
  const never = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const refused = expect(wait(opening(never))).rejects.toThrow('the store did not respond within 10000 ms')
  await clock.advance(10_000)
  await refused
})
