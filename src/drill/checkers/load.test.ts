import { expect, test } from 'vitest'
import { historyOf } from '../../testing/history-builder.ts'
import { hasLoad, loadComplete } from './load.ts'

test('a load that was recorded from start to end is complete', () => {
  const events = historyOf((builder) => {
    builder.phase('load-began')
    builder.phase('load-ended', '0')
  })
  expect(hasLoad(events)).toBe(true)
  expect(loadComplete(events)).toMatchObject({ kind: 'valid', figures: { runs: 1, dropped: 0 } })
  expect(hasLoad(historyOf((builder) => builder.phase('healed')))).toBe(false)
})

test.each([
  ['load-cut', '0', /was truncated/],
  ['load-ended', '2', /2 arrivals were not made/],
])('a load with %s %s is inconclusive', (key, value, why) => {
  const events = historyOf((builder) => {
    builder.phase('load-began')
    builder.phase(key, value)
  })
  expect(loadComplete(events)).toMatchObject({ kind: 'inconclusive', why: expect.stringMatching(why) as string })
})
