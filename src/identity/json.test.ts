import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IngotError } from '../errors/error.ts'
import { judge } from '../testing/json/oracle.ts'
import { chooser, damaged, sample, spell } from '../testing/json/spellings.ts'
import { canonicalJson, canonicalJsonOfBytes, MAX_DEPTH } from './json.ts'

const LIMITS = { maxDepth: 8 }
const seed = fc.integer()

/** Returns the result of `read`, or the IngotError that it throws. */
function outcome(read: () => string): string | IngotError {
  try {
    return read()
  } catch (error) {
    if (error instanceof IngotError) return error
    throw error
  }
}

const canonical = (text: string): string => canonicalJson(text, LIMITS)
const ofText = (text: string): string | IngotError => outcome(() => canonicalJson(text, LIMITS))
const ofBytes = (text: string): string | IngotError => outcome(() => canonicalJsonOfBytes(Buffer.from(text), LIMITS))

function keyOf(text: string): string {
  const verdict = judge(text, LIMITS.maxDepth)
  return verdict.accepted ? verdict.key : 'refused'
}

describe('against the oracle', () => {
  test('all spellings of a value have one canonical form', () => {
    fc.assert(
      fc.property(sample, seed, seed, (value, one, other) => {
        const texts = [spell(value, chooser(one)), spell(value, chooser(other))] as const
        expect(keyOf(texts[0])).toBe(keyOf(texts[1]))
        expect(keyOf(texts[0])).not.toBe('refused')
        expect(canonical(texts[0])).toBe(canonical(texts[1]))
      }),
      { numRuns: 3_000 },
    )
  })

  test('two values have the same canonical form exactly if they are equal', () => {
    let different = 0
    fc.assert(
      fc.property(sample, seed, seed, (value, spelling, damage) => {
        const text = spell(value, chooser(spelling))
        const near = damaged(text, chooser(damage))
        if (keyOf(near) === 'refused') return
        if (keyOf(near) !== keyOf(text)) different += 1
        expect(canonical(near) === canonical(text)).toBe(keyOf(near) === keyOf(text))
      }),
      { numRuns: 10_000 },
    )
    expect(different).toBeGreaterThan(500)
  })

  test('unrelated values have different canonical forms', () => {
    fc.assert(
      fc.property(sample, sample, seed, (one, other, spelling) => {
        const texts = [spell(one, chooser(spelling)), spell(other, chooser(spelling))] as const
        expect(canonical(texts[0]) === canonical(texts[1])).toBe(keyOf(texts[0]) === keyOf(texts[1]))
      }),
      { numRuns: 1_000 },
    )
  })

  test('a damaged text is refused exactly if the oracle refuses it, and JSON.parse agrees on well-formedness', () => {
    const seen = { accepted: 0, strictlyRefused: 0, malformed: 0 }
    fc.assert(
      fc.property(sample, seed, seed, (value, spelling, damage) => {
        const text = damaged(spell(value, chooser(spelling)), chooser(damage))
        const verdict = judge(text, LIMITS.maxDepth)
        expect(ofText(text) instanceof IngotError).toBe(!verdict.accepted)
        expect(parses(text)).toBe(verdict.accepted || verdict.wellFormed)
        seen[verdict.accepted ? 'accepted' : verdict.wellFormed ? 'strictlyRefused' : 'malformed'] += 1
      }),
      { numRuns: 20_000 },
    )
    expect(Math.min(seen.accepted, seen.malformed)).toBeGreaterThan(2_000)
    expect(seen.strictlyRefused).toBeGreaterThan(200)
  })

  test('a canonical form is its own canonical form, and has the value of the text', () => {
    fc.assert(
      fc.property(sample, seed, (value, spelling) => {
        const text = spell(value, chooser(spelling))
        expect(canonical(canonical(text))).toBe(canonical(text))
        expect(keyOf(canonical(text))).toBe(keyOf(text))
      }),
      { numRuns: 2_000 },
    )
  })
})

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('any form of input', () => {
  test('leading whitespace moves positions and changes nothing else', () => {
    fc.assert(
      fc.property(sample, seed, seed, (value, spelling, damage) => {
        const text = damaged(spell(value, chooser(spelling)), chooser(damage))
        const [fast, slow] = [ofText(text), ofText(` ${text}`)]
        if (fast instanceof IngotError && slow instanceof IngotError) {
          expect([slow.code, slow.facts['position']]).toEqual([fast.code, Number(fast.facts['position']) + 1])
        } else expect(slow).toBe(fast)
      }),
      { numRuns: 5_000 },
    )
  })

  test('a text and its bytes have the same result, or the same error', () => {
    fc.assert(
      fc.property(sample, seed, seed, (value, spelling, damage) => {
        const text = damaged(spell(value, chooser(spelling)), chooser(damage)).replace(/\p{Surrogate}/gu, '')
        const [fromText, fromBytes] = [ofText(text), ofBytes(text)]
        if (fromText instanceof IngotError && fromBytes instanceof IngotError) {
          const position = Buffer.byteLength(text.slice(0, Number(fromText.facts['position'])))
          expect([fromBytes.code, fromBytes.facts['position']]).toEqual([fromText.code, position])
        } else expect(fromBytes).toBe(fromText)
      }),
      { numRuns: 5_000 },
    )
  })
})

describe('refuses, with the position', () => {
  test.each([
    ['', 'JSON_INVALID', 0],
    [' ', 'JSON_INVALID', 1],
    ['[1,]', 'JSON_INVALID', 3],
    ['[1 2]', 'JSON_INVALID', 3],
    ['{"a":1,}', 'JSON_INVALID', 7],
    ['{"a" 1}', 'JSON_INVALID', 5],
    ['{"a":1 "b":2}', 'JSON_INVALID', 7],
    ['{a:1}', 'JSON_INVALID', 1],
    ['[1]]', 'JSON_INVALID', 3],
    ['[1', 'JSON_INVALID', 2],
    ['01', 'JSON_INVALID', 0],
    ['-', 'JSON_INVALID', 1],
    ['+1', 'JSON_INVALID', 0],
    ['.5', 'JSON_INVALID', 0],
    ['1.', 'JSON_INVALID', 2],
    ['1e', 'JSON_INVALID', 2],
    ['1e+', 'JSON_INVALID', 3],
    ['NaN', 'JSON_INVALID', 0],
    ['[Infinity]', 'JSON_INVALID', 1],
    ['nul', 'JSON_INVALID', 0],
    ['"a', 'JSON_INVALID', 2],
    ['"\u0001"', 'JSON_INVALID', 1],
    ['"\\x"', 'JSON_INVALID', 1],
    ['"\\u12"', 'JSON_INVALID', 1],
    ["'a'", 'JSON_INVALID', 0],
    ['\ufeff{}', 'JSON_INVALID', 0],
    ['\u00a01', 'JSON_INVALID', 0],
    ['{}//', 'JSON_INVALID', 2],
    ['{"a":1,"a":1}', 'JSON_DUPLICATE_MEMBER', 7],
    ['{"a":1,"\\u0061":1}', 'JSON_DUPLICATE_MEMBER', 7],
    ['[{"__proto__":1,"__proto__":2}]', 'JSON_DUPLICATE_MEMBER', 16],
    ['"\\ud800"', 'JSON_LONE_SURROGATE', 1],
    ['"\\uDC00"', 'JSON_LONE_SURROGATE', 1],
    ['["\\ud83d\\ud83d\\ude00"]', 'JSON_LONE_SURROGATE', 2],
    ['{"\\ude00\\ud83d":1}', 'JSON_LONE_SURROGATE', 2],
    ['"\\ud83d\\n"', 'JSON_LONE_SURROGATE', 1],
    ['[[[[[[[[[1]]]]]]]]]', 'JSON_TOO_DEEP', 8],
    ['[{"a":[[[[[[[{}]]]]]]]}]', 'JSON_TOO_DEEP', 12],
    ['[1,9007199254740993]', 'NUMBER_PRECISION', 3],
    ['{"a":1e400}', 'NUMBER_PRECISION', 5],
    ['1e-400', 'NUMBER_PRECISION', 0],
  ])('%j: %s at %d', (text, code, position) => {
    expect(ofBytes(text)).toMatchObject({ code, facts: { position } })
    expect(ofText(text)).toMatchObject({ code, facts: { position } })
  })

  test('every unescaped control character', () => {
    for (let code = 0; code < 0x20; code += 1) {
      expect(ofBytes(`"${String.fromCharCode(code)}"`)).toMatchObject({ code: 'JSON_INVALID', facts: { position: 1 } })
    }
    expect(ofBytes('" \u007f"')).toBe('" \u007f"')
  })

  test('counts bytes in bytes and UTF-16 code units in a string', () => {
    expect(ofText('["é😀",x]')).toMatchObject({ facts: { position: 7 } })
    expect(ofBytes('["é😀",x]')).toMatchObject({ facts: { position: 10 } })
  })

  test('a lone surrogate in a string that never was UTF-8', () => {
    expect(ofText('["a\ud800"]')).toMatchObject({ code: 'JSON_LONE_SURROGATE', facts: { position: 3 } })
    expect(ofText('["\\ud83d\ude00"]')).toMatchObject({ code: 'JSON_LONE_SURROGATE', facts: { position: 8 } })
  })

  test.each([
    [[0x22, 0xff, 0x22], 1],
    [[0x22, 0xc3], 1],
    [[0x22, 0x61, 0xe2, 0x82, 0x22], 2],
    [[0x22, 0xef, 0xbf, 0x22], 1],
    [[0x22, 0xef, 0x22], 1],
    [[0x22, 0xef, 0xbf, 0xbd, 0xff], 4],
    [[0x22, 0xed, 0xa0, 0x80, 0x22], 1],
    [[0x22, 0xc0, 0x80, 0x22], 1],
    [[0x22, 0xf5, 0x80, 0x80, 0x80, 0x22], 1],
  ])('bytes %j, which are not UTF-8', (bytes, position) => {
    const result = outcome(() => canonicalJsonOfBytes(Uint8Array.from(bytes), LIMITS))
    expect(result).toMatchObject({ code: 'JSON_INVALID', facts: { position } })
  })
})

describe('accepts', () => {
  // nodejs/node#63785: after a member named by a backslash, V8 reads an escaped name in the same position as that one.
  test('an escaped name correctly, where JSON.parse fails', () => {
    const poison = '{"poisoned":[],"\\\\":0}'
    JSON.parse(poison)
    for (const name of ['\\u0061', '\\"', '\\n', '\\ud83d\\ude00']) {
      const text = `{"poisoned":1,"${name}":2}`
      expect(keyOf(ofText(text).toString())).toBe(keyOf(text))
      expect(ofText(`{"poisoned":1,"\\\\":0,"${name}":2}`)).not.toBeInstanceOf(IngotError)
    }
  })

  test.each([
    ['{"b":1,"a":2}', '{"a":2,"b":1}'],
    ['{"10":1,"2":2,"1":3}', '{"1":3,"10":1,"2":2}'],
    ['{"__proto__":{"a":1},"A":0}', '{"A":0,"__proto__":{"a":1}}'],
    ['{"toJSON":1,"constructor":null}', '{"constructor":null,"toJSON":1}'],
    ['"\\/\\u0041\\u000a\\u001F\\u2028"', '"/A\\n\\u001f\u2028"'],
    ['"\\ud83d\\ude00"', '"😀"'],
    ['"\\\\ud800"', '"\\\\ud800"'],
    ['[-0,-0.0e9,0e999999999,1.0,10e-1]', '[0,0,0,1,1]'],
    ['\t\r\n {"a" : [ ] , "b":{ } } ', '{"a":[],"b":{}}'],
    ['{"":""}', '{"":""}'],
  ])('%s as %s', (text, form) => {
    expect(ofText(text)).toBe(form)
    expect(ofBytes(text)).toBe(form)
  })

  test('as many levels as the limit allows', () => {
    expect(ofText('[[[[[[[[1]]]]]]]]')).toBe('[[[[[[[[1]]]]]]]]')
    expect(outcome(() => canonicalJson('[]', { maxDepth: 0 }))).toMatchObject({ code: 'JSON_TOO_DEEP' })
    expect(outcome(() => canonicalJson('1', { maxDepth: 0 }))).toBe('1')
  })

  test('the deepest allowed text without a stack overflow, and refuses a deeper one', () => {
    const nested = (depth: number): string => ` ${'{"b":[1,'.repeat(depth / 2)}1${']}'.repeat(depth / 2)}`
    const limits = { maxDepth: 1_000_000 }
    expect(canonicalJson(nested(MAX_DEPTH), limits)).toBe(nested(MAX_DEPTH).trim())
    expect(outcome(() => canonicalJson(nested(400_000), limits))).toMatchObject({ code: 'JSON_TOO_DEEP' })
    expect(outcome(() => canonicalJson('['.repeat(1_000_000), limits))).toMatchObject({ code: 'JSON_TOO_DEEP' })
  })
})

test.each([
  [
    '[1152921504606846976]',
    'the number 1152921504606846976 is not the shortest decimal value of its double, 1152921504606847000, at byte 1',
  ],
  [
    '0.30000000000000001',
    'the number 0.30000000000000001 is not the shortest decimal value of its double, 0.3, at byte 0',
  ],
  ['1e-400', 'the number 1e-400 is not the shortest decimal value of its double, 0, at byte 0'],
  ['-1e400', 'the number -1e400 is beyond the range of a double, at byte 0'],
])('names the double of the number in %s', (text, message) => {
  expect(ofBytes(text)).toMatchObject({ code: 'NUMBER_PRECISION', message })
})

test.each(['0.1', '1.0', '1.00', '1e2', '1E+2', '100e-2', '-0', '0.10', '9007199254740994', '1152921504606847000'])(
  'accepts %s, whose value is the shortest of its double',
  (text) => {
    expect(ofBytes(text)).not.toBeInstanceOf(IngotError)
  },
)
