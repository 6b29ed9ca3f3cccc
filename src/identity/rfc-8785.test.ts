/** The vectors of RFC 8785 and of its reference implementations: all that do not round, and by name those that do. */
import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from './json.ts'

const LIMITS = { maxDepth: 64 }

describe('appendix B: a double, its text, and back', () => {
  test.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['ffefffffffffffff', '-1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['c340000000000000', '-9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['44b52d02c7e14af7', '1.0000000000000001e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef4f', '999999999999999900000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555553', '333333333.3333332'],
    ['41b3de4355555554', '333333333.33333325'],
    ['41b3de4355555555', '333333333.3333333'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
    ['43143ff3c1cb0959', '1424953923781206.2'],
  ])('%s is %s', (hex, text) => {
    const double = Buffer.from(hex, 'hex').readDoubleBE()
    expect(String(double)).toBe(text)
    expect(canonicalJson(text, LIMITS)).toBe(text)
    expect(canonicalJson(double.toExponential(), LIMITS)).toBe(text)
  })

  test.each(['NaN', 'Infinity', '-Infinity'])('%s is not JSON', (text) => {
    expect(() => canonicalJson(text, LIMITS)).toThrow(expect.objectContaining({ code: 'JSON_INVALID' }))
  })
})

describe('the texts', () => {
  test.each([
    [
      'section 3.2.2, without its number that rounds',
      `{
      "numbers": [333333333.3333333, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
      "literals": [null, true, false]
    }`,
      `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA'B\\"\\\\\\\\\\"/"}`,
    ],
    [
      'section 3.2.3',
      `{
      "\\u20ac": "Euro Sign",
      "\\r": "Carriage Return",
      "\\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\\ud83d\\ude00": "Emoji: Grinning Face",
      "\\u0080": "Control",
      "\\u00f6": "Latin Small Letter O With Diaeresis"
    }`,
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    ],
    [
      'arrays',
      '[\n  56,\n  {\n    "d": true,\n    "10": null,\n    "1": [ ]\n  }\n]',
      '[56,{"1":[],"10":null,"d":true}]',
    ],
    [
      'french',
      '{"peach":"sorting order must not depend on a locale","péché":"not even","pêche":"in","sin":"French"}',
      '{"peach":"sorting order must not depend on a locale","péché":"not even","pêche":"in","sin":"French"}',
    ],
    [
      'structures',
      '{"1":{"f":{"f":"hi","F":5},"\\n":56.0},"10":{},"":"empty","a":{},"111":[{"e":"yes","E":"no"}],"A":{}}',
      '{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}',
    ],
    ['unicode, which is not normalised', '{"Unnormalized Unicode":"A\\u030a"}', '{"Unnormalized Unicode":"A\u030a"}'],
    [
      'weird',
      '{"\\u20ac":"","\\r":"","\\u000a":"","1":"","\\u0080":"\\u007f","\\u00f6":"","\\ud83d\\ude02":"","\\ufb33":"","</script>":""}',
      '{"\\n":"","\\r":"","1":"","</script>":"","\u0080":"\u007f","ö":"","€":"","😂":"","\ufb33":""}',
    ],
  ])('%s', (_, text, form) => {
    expect(canonicalJson(text, LIMITS)).toBe(form)
  })
})

describe('the exception: a vector that rounds is refused, because two numbers would become one', () => {
  test.each(['333333333.33333329', '295147905179352825856', '1424953923781206.25', '-0.00000333333333333333333'])(
    '%s',
    (token) => {
      const refusal: unknown = expect.objectContaining({ code: 'NUMBER_PRECISION', facts: { position: 1, token } })
      expect(() => canonicalJson(`[${token}]`, LIMITS)).toThrow(refusal)
    },
  )
})
