import { expect, test } from 'vitest'
import { growthOf, type Sample } from './growth.ts'

const samples = (make: (index: number) => Partial<Sample>): readonly Sample[] =>
  Array.from({ length: 60 }, (_, index) => ({ residentMiB: 120, handles: 70, watches: 2, ...make(index) }))

test('a process that fills its caches, and then varies, does not grow', () => {
  const filling = samples((index) => ({ residentMiB: index < 5 ? 60 : 120 + (index % 4), handles: 70 + (index % 3) }))
  expect(growthOf(filling)).toMatchObject({ first: { handles: 71 }, findings: [] })
})

test.each([
  ['memory', (index: number) => ({ residentMiB: 120 + index })],
  ['handles', (index: number) => ({ handles: 70 + index })],
  ['watches', (index: number) => ({ watches: 2 + Math.floor(index / 20) })],
])('mutation: a leak of %s is found', (_what, make) => {
  expect(growthOf(samples(make)).findings).toHaveLength(1)
})

test('too few samples are no verdict', () => {
  expect(() => growthOf(samples(() => ({})).slice(0, 9))).toThrow(RangeError)
})
