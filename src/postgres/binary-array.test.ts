import { expect, test } from 'vitest'
import { BYTEA, byteaArray, fixedArray, fixedElement, integerArray, textArray } from './binary-array.ts'

// the expected bytes are the output of SELECT array_send(...) on Postgres 17
test('encodes arrays as Postgres does', () => {
  expect(byteaArray([Buffer.from([1, 2]), Buffer.alloc(0)]).toString('hex')).toBe(
    '000000010000000000000011000000020000000100000002010200000000',
  )
  expect(textArray(['a', null]).toString('hex')).toBe('00000001000000010000001900000002000000010000000161ffffffff')
  expect(byteaArray([]).toString('hex')).toBe('000000000000000000000011')
  expect(integerArray([1, -2]).toString('hex')).toBe(
    '0000000100000000000000170000000200000001000000040000000100000004fffffffe',
  )
  expect(integerArray([]).toString('hex')).toBe('000000000000000000000017')
})

test('encodes elements of one length as it encodes any others', () => {
  const elements = [Buffer.from('abc'), Buffer.from('xyz')]
  const whole = fixedArray({ type: BYTEA, count: 2, bytes: 3 }, (into, index, offset) => {
    into.set(elements[index] ?? [], offset)
  })
  expect(whole).toEqual(byteaArray(elements))
  expect(Buffer.from(fixedElement(whole, { bytes: 3 }, 1)).toString()).toBe('xyz')
})
