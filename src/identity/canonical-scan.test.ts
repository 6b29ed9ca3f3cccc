import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IngotError } from '../errors/error.ts'
import { chooser, damaged, sample, spell } from '../testing/json/spellings.ts'
import { isSurelyCanonical } from './canonical-scan.ts'
import { canonicalForm, canonicalJson, canonicalJsonOfBytes } from './json.ts'

const LIMITS = { maxDepth: 8 }
const seed = fc.integer()

const isSure = (text: string | Uint8Array): boolean => isSurelyCanonical(Buffer.from(text), LIMITS.maxDepth)

/** Returns the text's canonical form, or the code of its error. */
function canonical(bytes: Uint8Array): string {
  try {
    return canonicalJsonOfBytes(bytes, LIMITS)
  } catch (error) {
    if (error instanceof IngotError) return error.code
    throw error
  }
}

/** Asserts that the scan accepts no text that the reader refuses or writes differently. */
function expectRight(bytes: Buffer): boolean {
  const sure = isSure(bytes)
  if (sure) expect(canonical(bytes)).toBe(bytes.toString())
  return sure
}

test('accepts only texts that the reader would write unchanged, including damaged and truncated texts', () => {
  let sure = 0
  fc.assert(
    fc.property(sample, seed, seed, (value, spelling, damage) => {
      const text = spell(value, chooser(spelling))
      const form = canonicalJson(text, LIMITS)
      for (const one of [text, form, damaged(form, chooser(damage)), form.slice(0, -1), `${form}0`])
        if (expectRight(Buffer.from(one))) sure++
    }),
    { numRuns: 10_000 },
  )
  expect(sure).toBeGreaterThan(5_000)
})

test('accepts only UTF-8', () => {
  fc.assert(
    fc.property(sample, seed, fc.nat(), fc.nat(255), (value, spelling, at, byte) => {
      const bytes = Buffer.from(canonicalJson(spell(value, chooser(spelling)), LIMITS))
      bytes[at % bytes.length] = byte
      expectRight(bytes)
    }),
    { numRuns: 10_000 },
  )
  expect(isSure(Buffer.from('22eda08022', 'hex'))).toBe(false)
  expect(isSure(Buffer.from('22ff22', 'hex'))).toBe(false)
})

test('accepts only numbers that are written as ECMAScript writes them', () => {
  const digits = fc.array(fc.nat(9), { maxLength: 18 }).map((all) => all.join(''))
  let sure = 0
  fc.assert(
    fc.property(
      fc.boolean(),
      digits,
      fc.option(digits),
      fc.constantFrom('', '', 'e5', 'E-7'),
      (minus, whole, rest, exponent) => {
        const token = `${minus ? '-' : ''}${whole}${rest === null ? '' : `.${rest}`}${exponent}`
        if (expectRight(Buffer.from(token))) sure++
      },
    ),
    { numRuns: 30_000 },
  )
  expect(sure).toBeGreaterThan(2_000)
})

test.each([
  '{}',
  '[]',
  '""',
  '0',
  '-1.5',
  '0.000001',
  '123456789012345',
  '{"":[{}],"A":true,"a":false,"aa":null,"b":"\\"\\\\\\b\\f\\n\\r\\t/é\u2028😀"}',
  '[[[[[[[[]]]]]]]]',
])('accepts %s', (text) => {
  expect(isSure(text)).toBe(true)
  const bytes = Buffer.from(text)
  expect(canonicalForm(bytes, LIMITS)).toBe(bytes)
})

test.each([
  '',
  ' 1',
  '1 ',
  '[1, 2]',
  '{"b":1,"a":2}',
  '{"a":1,"a":2}',
  '{"aa":1,"a":2}',
  '{"a":1,}',
  '[1,]',
  '[1',
  '{"a"',
  '"a',
  '"\\/"',
  '"\\u0041"',
  '"\\',
  '"\u0001"',
  '-0',
  '01',
  '1.0',
  '1.',
  '.5',
  '1e3',
  '0.0000001',
  '1234567890123456',
  'tru',
  'nul',
  '[[[[[[[[[]]]]]]]]]',
  '{"\ufb33":1,"😀":2}',
])('is in doubt about %s', (text) => {
  expect(isSure(text)).toBe(false)
})
