import { expect, test } from 'vitest'
import { createFakeClock } from '../testing/clock.ts'
import { createWaitEntries, FALLBACK_MS } from './wait-entries.ts'

const never = new AbortController().signal

function setUp() {
  const clock = createFakeClock()
  const entries = createWaitEntries(clock)
  const passed: string[] = []
  const passOn = (): void => void passed.push('passed')
  /** Returns true if the wait is over. */
  const watch = (token: string, signal = never): { done: boolean } => {
    const state = { done: false }
    const end = async (): Promise<void> => {
      await entries.wait(token, signal)
      state.done = true
    }
    void end()
    return state
  }
  return { clock, entries, passed, passOn, watch }
}

test('a message wakes the waiter it names', async () => {
  const { clock, entries, passed, passOn, watch } = setUp()
  entries.take('a')
  entries.take('b')
  const [a, b] = [watch('a'), watch('b')]
  entries.wake('a', passOn)
  await clock.advance(0)
  expect([a.done, b.done, passed]).toEqual([true, false, []])
})

test('a message that arrives before its waiter waits is not lost', async () => {
  const { clock, entries, passed, passOn, watch } = setUp()
  entries.take('a')
  entries.wake('a', passOn)
  const a = watch('a')
  await clock.advance(0)
  expect(a.done).toBe(true)
  // and the next attempt acquires the key
  entries.take('a')
  await clock.advance(10_000)
  expect(passed).toEqual([])
})

test('a lost message delays a waiter by at most the fallback, and at most the lease', async () => {
  const { clock, entries, watch } = setUp()
  entries.take('a')
  entries.take('b')
  entries.note('b', 100)
  entries.note('a', 60_000)
  const [a, b] = [watch('a'), watch('b')]
  await clock.advance(101)
  expect([a.done, b.done]).toEqual([false, true])
  await clock.advance(FALLBACK_MS - 101)
  expect(a.done).toBe(true)
})

test('a gap in the subscription wakes every waiter', async () => {
  const { clock, entries, watch } = setUp()
  for (const token of ['a', 'b']) entries.take(token)
  const waits = ['a', 'b'].map((token) => watch(token))
  entries.wakeAll()
  await clock.advance(0)
  expect(waits.map(({ done }) => done)).toEqual([true, true])
})

test('a wake-up of a waiter that has left or does not respond is passed on to the next waiter', async () => {
  const { clock, entries, passed, passOn } = setUp()
  entries.wake('unknown', passOn)
  expect(passed).toHaveLength(1)
  entries.take('left')
  entries.drop('left')
  entries.wake('left', passOn)
  expect(passed).toHaveLength(2)
  entries.take('slow')
  entries.wake('slow', passOn)
  await clock.advance(99)
  expect(passed).toHaveLength(2)
  await clock.advance(1)
  expect(passed).toHaveLength(3)
})

test('an abort ends the wait', async () => {
  const { clock, entries, watch } = setUp()
  const abort = new AbortController()
  entries.take('a')
  const a = watch('a', abort.signal)
  abort.abort()
  await clock.advance(0)
  expect(a.done).toBe(true)
})

test('abandoned entries are removed', async () => {
  const { clock, entries, passed, passOn } = setUp()
  for (let i = 0; i < 1_001; i++) entries.take(`old ${i}`)
  clock.block(60_001)
  entries.take('new')
  entries.wake('old 0', passOn)
  expect(passed).toHaveLength(1)
})
