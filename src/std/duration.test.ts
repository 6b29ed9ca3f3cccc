import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, parseDurationMs } from './duration.ts'

test.each([
  ['250ms', 250],
  ['1.5s', 1_500],
  ['24h', 86_400_000],
  ['7d', 604_800_000],
])('reads %s', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms)
})

test.each(['', '5', 's', '-1s', '1 hour', '1s2s'])('refuses %j', (text) => {
  expect(parseDurationMs(text)).toBeUndefined()
})

test('parses the durations that it formats', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000_000_000 }), (ms) => parseDurationMs(formatDuration(ms)) === ms),
  )
})
