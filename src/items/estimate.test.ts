import { hash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { estimateItems, type IdSample, SAMPLE_IDS } from './estimate.ts'
import { itemKey } from './item-key.ts'

/** Returns the sample that a store reads of `items` distinct contents of one kind. */
function sampleOf(items: number, seed: string): IdSample {
  const ids = Array.from({ length: items }, (_, at) => `j1-${hash('sha256', `${seed}/${at}`, 'hex')}`).toSorted()
  const smallest = ids.slice(0, SAMPLE_IDS)
  const last = smallest.at(-1)
  return { count: smallest.length, last: last === undefined ? undefined : itemKey(last) }
}

/** Largest relative error of 20 estimates. Five standard errors are 31 %. */
function worstError(items: number, estimate: (sample: IdSample) => number): number {
  const errors = Array.from({ length: 20 }, (_, seed) => Math.abs(estimate(sampleOf(items, `${seed}`)) / items - 1))
  return Math.max(...errors)
}

describe('the estimated number of items', () => {
  test.each([0, 1, 255])('is exact for %d items', (items) => {
    expect(estimateItems([sampleOf(items, 'a')])).toBe(items)
  })

  test.each([256, 1_000, 20_000])('is near for %d items', (items) => {
    expect(worstError(items, (sample) => estimateItems([sample]))).toBeLessThan(0.31)
  })

  test('is the sum over the kinds of ids', () => {
    expect(estimateItems([sampleOf(3, 'a'), sampleOf(0, 'b'), sampleOf(4, 'c')])).toBe(7)
  })

  test('is never below the number of ids that were read, also for a forged id', () => {
    expect(estimateItems([{ count: SAMPLE_IDS, last: itemKey(`j1-${'f'.repeat(64)}`) }])).toBe(SAMPLE_IDS)
    expect(estimateItems([{ count: SAMPLE_IDS, last: itemKey(`j1-${'0'.repeat(64)}`) }])).toBeLessThan(Infinity)
  })

  test('mutation: the size of the sample instead of an estimate is far off', () => {
    expect(worstError(20_000, ({ count }) => count)).toBeGreaterThan(0.9)
  })
})
