import { expect, test } from 'vitest'
import { notedAfter, sameHistory } from './store-version.ts'

test('takes a history for the same while its position does not fall', () => {
  const noted = { epoch: 'a', position: 10n }
  expect(sameHistory(noted, { epoch: 'a', position: 10n })).toBe(true)
  expect(sameHistory(noted, { epoch: 'a', position: 11n })).toBe(true)
  expect(sameHistory(noted, { epoch: 'a', position: 9n })).toBe(false)
  expect(sameHistory(noted, { epoch: 'b', position: 11n })).toBe(false)
})

test('notes the highest position of the newest epoch', () => {
  expect(notedAfter(undefined, { epoch: 'a', position: 5n })).toEqual({ epoch: 'a', position: 5n })
  expect(notedAfter({ epoch: 'a', position: 7n }, { epoch: 'a', position: 5n }).position).toBe(7n)
  expect(notedAfter({ epoch: 'a', position: 7n }, { epoch: 'a', position: 9n }).position).toBe(9n)
  expect(notedAfter({ epoch: 'a', position: 7n }, { epoch: 'b', position: 5n })).toEqual({ epoch: 'b', position: 5n })
})
