import { expect, test } from 'vitest'
import { byteaArray, textArray } from './binary-array.ts'

// the expected bytes are what Postgres 17 answers to SELECT array_send(...)
test('writes arrays as Postgres does', () => {
  expect(byteaArray([Buffer.from([1, 2]), Buffer.alloc(0)]).toString('hex')).toBe(
    '000000010000000000000011000000020000000100000002010200000000',
  )
  expect(textArray(['a', null]).toString('hex')).toBe('00000001000000010000001900000002000000010000000161ffffffff')
  expect(byteaArray([]).toString('hex')).toBe('000000000000000000000011')
})
