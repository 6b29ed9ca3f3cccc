import fc from 'fast-check'
import { expect, test } from 'vitest'
import { printable, printableLine } from './printable.ts'

/** Lists the ranges explicitly, without the Unicode properties that the code under test uses. */
function isUnsafe(code: number): boolean {
  return (
    code < 0x20 ||
    (code >= 0x7f && code <= 0x9f) ||
    [0x61c, 0x200e, 0x200f, 0x2028, 0x2029].includes(code) ||
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2066 && code <= 0x2069)
  )
}

const every = Array.from({ length: 0x10000 }, (_, code) => code)

test('a line keeps every character except control and reordering characters', () => {
  const changed = every.filter((code) => printableLine(String.fromCharCode(code)) !== String.fromCharCode(code))
  expect(changed).toEqual(every.filter(isUnsafe))
  expect(printableLine('a\x1b[2Jb\r\n\u202e')).toBe('a\\u001b[2Jb\\u000d\\u000a\\u202e')
})

test('a text keeps its line feeds and tabs', () => {
  expect(printable('a\tb\n\x1b\x9b\r')).toBe('a\tb\n\\u001b\\u009b\\u000d')
})

test('escaped JSON keeps its meaning', () => {
  const hostile = fc.string({ unit: fc.integer({ min: 0, max: 0x24ff }).map((code) => String.fromCharCode(code)) })
  fc.assert(
    fc.property(hostile, (value) => {
      expect(JSON.parse(printableLine(JSON.stringify({ [value]: value })))).toEqual({ [value]: value })
    }),
  )
})
