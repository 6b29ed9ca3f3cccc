import fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitArray } from './json-array.ts'

test('gives each element as it came', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.constantFrom('', ' ', '\n', '\t\r\n '), (values, space) => {
      const texts = values.map((value) => JSON.stringify(value, null, space === '' ? 0 : 1))
      const body = `${space}[${space}${texts.join(`${space},${space}`)}${space}]${space}`
      expect(splitArray(Buffer.from(body)).map(String)).toEqual(texts)
    }),
  )
})

test.each(['', '{}', '[', '[1', '["a', '[1,]', '[,1]', '[,]', '[1] 2', '[1],', '"[]"', '[1,,2]', '[{]'])(
  'refuses %j',
  (text) => {
    expect(() => splitArray(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'JSON_INVALID' }) as Error)
  },
)

test('takes nothing that JSON.parse would not, once its elements are checked too', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('[', ']', '{', '}', ',', ':', '"', '\\', ' ', '1', 'a') }),
      (text) => {
        const parsed = attempt(() => JSON.parse(text) as unknown)
        const split = attempt(() => splitArray(Buffer.from(text)).map((one) => JSON.parse(one.toString()) as unknown))
        expect(split).toEqual(Array.isArray(parsed) ? parsed : undefined)
      },
    ),
    { numRuns: 2_000 },
  )
})

function attempt(work: () => unknown): unknown {
  try {
    return work()
  } catch {
    return undefined
  }
}
