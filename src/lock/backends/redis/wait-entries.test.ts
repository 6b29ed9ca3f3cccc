import { expect, test } from 'vitest'
import { createFakeClock } from '../../../testing/clock.ts'
import { createWaitEntries, FALLBACK_MS } from './wait-entries.ts'

const never = new AbortController().signal

function setUp() {
  const clock = createFakeClock()
  const places = createWaitEntries(clock)
  const passed: string[] = []
  const passOn = (): void => void passed.push('passed')
  /** Whether the wait is over. */
  const watch = (token: string, signal = never): { done: boolean } => {
    const state = { done: false }
    const end = async (): Promise<void> => {
      await places.wait(token, signal)
      state.done = true
    }
    void end()
    return state
  }
  return { clock, places, passed, passOn, watch }
}

test('a message wakes the waiter it names', async () => {
  const { clock, places, passed, passOn, watch } = setUp()
  places.take('a')
  places.take('b')
  const [a, b] = [watch('a'), watch('b')]
  places.wake('a', passOn)
  await clock.advance(0)
  expect([a.done, b.done, passed]).toEqual([true, false, []])
})

test('a message that comes before its waiter waits is not lost', async () => {
  const { clock, places, passed, passOn, watch } = setUp()
  places.take('a')
  places.wake('a', passOn)
  const a = watch('a')
  await clock.advance(0)
  expect(a.done).toBe(true)
  // and what it was woken for is fetched by the next attempt
  places.take('a')
  await clock.advance(10_000)
  expect(passed).toEqual([])
})

test('a lost message costs no more than the fallback, and no more than the lease', async () => {
  const { clock, places, watch } = setUp()
  places.take('a')
  places.take('b')
  places.note('b', 100)
  places.note('a', 60_000)
  const [a, b] = [watch('a'), watch('b')]
  await clock.advance(101)
  expect([a.done, b.done]).toEqual([false, true])
  await clock.advance(FALLBACK_MS - 101)
  expect(a.done).toBe(true)
})

test('a gap in the subscription wakes everybody', async () => {
  const { clock, places, watch } = setUp()
  for (const token of ['a', 'b']) places.take(token)
  const waits = ['a', 'b'].map((token) => watch(token))
  places.wakeAll()
  await clock.advance(0)
  expect(waits.map(({ done }) => done)).toEqual([true, true])
})

test('what comes for one who left, or who does not come for it, goes to the next', async () => {
  const { clock, places, passed, passOn } = setUp()
  places.wake('unknown', passOn)
  expect(passed).toHaveLength(1)
  places.take('left')
  places.drop('left')
  places.wake('left', passOn)
  expect(passed).toHaveLength(2)
  places.take('slow')
  places.wake('slow', passOn)
  await clock.advance(99)
  expect(passed).toHaveLength(2)
  await clock.advance(1)
  expect(passed).toHaveLength(3)
})

test('an abort ends the wait', async () => {
  const { clock, places, watch } = setUp()
  const abort = new AbortController()
  places.take('a')
  const a = watch('a', abort.signal)
  abort.abort()
  await clock.advance(0)
  expect(a.done).toBe(true)
})

test('places that nobody comes back to are forgotten', async () => {
  const { clock, places, passed, passOn } = setUp()
  for (let i = 0; i < 1_001; i++) places.take(`old ${i}`)
  clock.block(60_001)
  places.take('new')
  places.wake('old 0', passOn)
  expect(passed).toHaveLength(1)
})
