import { expect, test } from 'vitest'
import { createFakeClock } from '../testing/clock.ts'
import { fullJitter, retry } from './retry.ts'

test('delays grow up to the limit and never exceed it', () => {
  const delays = [...fullJitter({ baseMs: 10, maxMs: 35, attempts: 5 }, () => 1)]
  expect(delays).toEqual([10, 20, 35, 35, 35])
})

test('retries until it succeeds', async () => {
  const clock = createFakeClock()
  let calls = 0
  const done = retry(
    async () => {
      if (++calls < 3) throw new Error('not yet')
      return calls
    },
    { delays: [5, 5, 5], clock, signal: new AbortController().signal },
  )
  await clock.advance(10)
  expect(await done).toBe(3)
})

test('rejects with the last failure when the delays run out', async () => {
  const clock = createFakeClock()
  const done = retry(async () => Promise.reject(new Error('always')), {
    delays: [1],
    clock,
    signal: new AbortController().signal,
  })
  const outcome = expect(done).rejects.toThrow('always')
  await clock.advance(2)
  await outcome
})

test('rejects with the reason of the signal during a wait', async () => {
  const clock = createFakeClock()
  const abort = new AbortController()
  const done = retry(async () => Promise.reject(new Error('always')), { delays: [1_000], clock, signal: abort.signal })
  const outcome = expect(done).rejects.toThrow('enough')
  await clock.advance(1)
  abort.abort(new Error('enough'))
  await outcome
})

test('does not retry a failure that is not retryable', async () => {
  const clock = createFakeClock()
  let calls = 0
  const done = retry(
    async () => {
      calls++
      throw new Error('final')
    },
    { delays: [1, 1], clock, signal: new AbortController().signal, retryable: () => false },
  )
  await expect(done).rejects.toThrow('final')
  expect(calls).toBe(1)
})
