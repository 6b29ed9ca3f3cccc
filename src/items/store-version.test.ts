import { expect, test } from 'vitest'
import { laterStamp, sameTimeline } from './store-version.ts'

test('treats a version as the same timeline while its position does not fall', () => {
  const noted = { epoch: 'a', position: 10n }
  expect(sameTimeline(noted, { epoch: 'a', position: 10n })).toBe(true)
  expect(sameTimeline(noted, { epoch: 'a', position: 11n })).toBe(true)
  expect(sameTimeline(noted, { epoch: 'a', position: 9n })).toBe(false)
  expect(sameTimeline(noted, { epoch: 'b', position: 11n })).toBe(false)
})

test('keeps the highest position of the newest epoch', () => {
  expect(laterStamp(undefined, { epoch: 'a', position: 5n })).toEqual({ epoch: 'a', position: 5n })
  expect(laterStamp({ epoch: 'a', position: 7n }, { epoch: 'a', position: 5n }).position).toBe(7n)
  expect(laterStamp({ epoch: 'a', position: 7n }, { epoch: 'a', position: 9n }).position).toBe(9n)
  expect(laterStamp({ epoch: 'a', position: 7n }, { epoch: 'b', position: 5n })).toEqual({ epoch: 'b', position: 5n })
})
