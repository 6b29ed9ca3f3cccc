/**
 * Every case of the public JSON parsing suite: which ones are accepted, and the rule by which the others are refused.
 */
import { expect, test } from 'vitest'
import { type ErrorCode, IngotError } from '../errors/error.ts'
import { type Content, PARSING_SUITE } from '../testing/json/parsing-suite.ts'
import { canonicalForm, canonicalJsonOfBytes } from './json.ts'

/** RFC 8259 leaves the meaning of duplicate names open. RFC 8785 forbids them. */
const REFUSED_ALTHOUGH_VALID: Readonly<Record<string, ErrorCode>> = {
  'y_object_duplicated_key.json': 'JSON_DUPLICATE_MEMBER',
  'y_object_duplicated_key_and_value.json': 'JSON_DUPLICATE_MEMBER',
}

/** Cases in which another error comes before the syntax error. */
const REFUSED_SOONER: Readonly<Record<string, ErrorCode>> = {
  'n_number_with_alpha_char.json': 'NUMBER_PRECISION',
  'n_string_1_surrogate_then_escape.json': 'JSON_LONE_SURROGATE',
  'n_string_1_surrogate_then_escape_u.json': 'JSON_LONE_SURROGATE',
  'n_string_1_surrogate_then_escape_u1.json': 'JSON_LONE_SURROGATE',
  'n_string_1_surrogate_then_escape_u1x.json': 'JSON_LONE_SURROGATE',
  'n_string_incomplete_surrogate.json': 'JSON_LONE_SURROGATE',
  'n_string_incomplete_surrogate_escape_invalid.json': 'JSON_LONE_SURROGATE',
  'n_structure_100000_opening_arrays.json': 'JSON_TOO_DEEP',
  'n_structure_open_array_object.json': 'JSON_TOO_DEEP',
}

/** Cases that a parser may accept or refuse: the rule by which this parser refuses. It accepts none of them. */
const FREE: readonly (readonly [RegExp, ErrorCode])[] = [
  // numbers that a double cannot hold: too large, too small, or with too many digits
  [/^i_number_/, 'NUMBER_PRECISION'],
  [/^i_object_key_lone_2nd_surrogate/, 'JSON_LONE_SURROGATE'],
  // bytes that are not UTF-8, including UTF-16
  [/^i_string_(UTF|utf|invalid_utf|iso_latin|lone_utf8|not_in_unicode|overlong|truncated)/, 'JSON_INVALID'],
  // lone surrogates as escapes
  [/^i_string_(1st|incomplete|invalid_lonely|invalid_surrogate|inverted|lone_second)/, 'JSON_LONE_SURROGATE'],
  [/^i_structure_500_nested_arrays/, 'JSON_TOO_DEEP'],
  // a byte order mark
  [/^i_structure_UTF-8_BOM/, 'JSON_INVALID'],
]

const LIMITS = { maxDepth: 128 }

function expected(name: string): ErrorCode | 'taken' {
  if (name.startsWith('y_')) return REFUSED_ALTHOUGH_VALID[name] ?? 'taken'
  if (name.startsWith('n_')) return REFUSED_SOONER[name] ?? 'JSON_INVALID'
  const [rule] = FREE.filter(([names]) => names.test(name))
  if (rule === undefined) throw new Error(`no rule for ${name}`)
  return rule[1]
}

function bytesOf(content: Content): Uint8Array {
  return typeof content === 'string' ? Buffer.from(content) : content
}

function judged(work: () => unknown): ErrorCode | 'taken' {
  try {
    work()
    return 'taken'
  } catch (thrown) {
    if (thrown instanceof IngotError) return thrown.code
    throw thrown
  }
}

test.each([...PARSING_SUITE])('%s', (name, content) => {
  const bytes = bytesOf(content)
  expect(judged(() => canonicalJsonOfBytes(bytes, LIMITS))).toBe(expected(name))
  // the scan, which runs first, must not accept a text that the reader refuses
  expect(judged(() => canonicalForm(bytes, LIMITS))).toBe(expected(name))
})

test('accepted texts have the value that JSON.parse reads', () => {
  const taken = [...PARSING_SUITE].filter(([name]) => expected(name) === 'taken')
  for (const [name, content] of taken) {
    const text = Buffer.from(bytesOf(content)).toString('utf8')
    const canonical = canonicalJsonOfBytes(bytesOf(content), LIMITS)
    // compares texts, because -0 and 0 are one value, as in RFC 8785
    expect(sortedText(JSON.parse(canonical)), name).toBe(sortedText(JSON.parse(text)))
  }
  expect(taken).toHaveLength(93)
})

test('is complete', () => {
  const count = (prefix: string): number => [...PARSING_SUITE.keys()].filter((name) => name.startsWith(prefix)).length
  expect([count('y_'), count('n_'), count('i_')]).toEqual([95, 193, 35])
})

/** Returns the text of a value with the members of each object sorted. */
function sortedText(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
