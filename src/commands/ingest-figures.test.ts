import { describe, expect, test } from 'vitest'
import { createFakeClock } from '../testing/clock.ts'
import { type Amounts, bar, createPace, sentence } from './ingest-figures.ts'

const amounts = (items: number, doneBytes: number, totalBytes?: number): Amounts => ({
  created: items,
  duplicate: 0,
  failed: 0,
  doneBytes,
  ...(totalBytes === undefined ? {} : { totalBytes }),
})

describe('the pace', () => {
  test('is the work per second, and the remaining bytes at that speed give the time left', async () => {
    const clock = createFakeClock()
    const pace = createPace(clock)
    await clock.advance(2_000)
    expect(pace.look(amounts(400, 1_000, 4_000))).toEqual({ itemsPerSecond: 200, secondsLeft: 6 })
  })

  test('follows a change within the window of ten seconds', async () => {
    const clock = createFakeClock()
    const pace = createPace(clock)
    for (let second = 1; second <= 10; second++) {
      await clock.advance(1_000)
      pace.look(amounts(second * 1_000, second))
    }
    for (let second = 1; second <= 11; second++) {
      await clock.advance(1_000)
      pace.look(amounts(10_000 + second * 10, 10))
    }
    expect(pace.look(amounts(10_110, 10)).itemsPerSecond).toBe(10)
  })

  test('is zero at a standstill, without a time left', async () => {
    const clock = createFakeClock()
    const pace = createPace(clock)
    expect(pace.look(amounts(0, 0, 100))).toEqual({ itemsPerSecond: 0 })
    await clock.advance(1_000)
    expect(pace.look(amounts(0, 0, 100))).toEqual({ itemsPerSecond: 0 })
  })
})

describe('the bar', () => {
  const half: Amounts = { created: 31_204, duplicate: 1_022, failed: 3, doneBytes: 50, totalBytes: 100 }

  test('shows share, counts, rate and time left', () => {
    expect(bar(half, { itemsPerSecond: 41_000.4, secondsLeft: 11.2 }, 120)).toBe(
      '[###############---------------]  50%  31,204 created, 1,022 duplicate, 3 failed, 41,000/s, 12 s left',
    )
  })

  test.each([20, 40, 70, 80, 100, 200])('stays within %i columns', (columns) => {
    expect(bar(half, { itemsPerSecond: 41_000, secondsLeft: 11 }, columns).length).toBeLessThan(columns)
  })

  test('has only words if the size is unknown', () => {
    const { totalBytes: _, ...unknown } = half
    expect(bar(unknown, { itemsPerSecond: 5 }, 120)).toBe('31,204 created, 1,022 duplicate, 3 failed, 5/s')
  })

  test('never exceeds 100%, and shows 100% only when all is done', () => {
    expect(sentence({ ...half, doneBytes: 999, totalBytes: 1_000 }, { itemsPerSecond: 1 })).toMatch(/^99%/)
    expect(sentence({ ...half, doneBytes: 1_001, totalBytes: 1_000 }, { itemsPerSecond: 1 })).toMatch(/^100%/)
  })
})
