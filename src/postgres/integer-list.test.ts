import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseIntegers } from './integer-list.ts'

test('parses every list of integers', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.integer(), fc.maxSafeInteger())), (list) => {
      expect(parseIntegers(`{${list.join(',')}}`)).toEqual(list)
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  '',
  '1',
  '{',
  '}',
  '{1',
  '{NULL}',
  '{1,NULL}',
  '{,}',
  '{1,}',
  '{,1}',
  '{1,,2}',
  '{-}',
  '{1.5}',
  '{{1},{2}}',
  '{1 }',
  '{9007199254740992}',
])('refuses %j', (text) => {
  expect(() => parseIntegers(text)).toThrow(RangeError)
})
