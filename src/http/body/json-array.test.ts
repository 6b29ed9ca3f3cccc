import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { splitArray } from './json-array.ts'

test('returns each element unchanged', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.constantFrom('', ' ', '\n', '\t\r\n '), (values, space) => {
      const texts = values.map((value) => JSON.stringify(value, null, space === '' ? 0 : 1))
      const body = `${space}[${space}${texts.join(`${space},${space}`)}${space}]${space}`
      expect(splitArray(Buffer.from(body), 1_000).map(String)).toEqual(texts)
    }),
  )
})

test.each(['', '{}', '[', '[1', '["a', '[1,]', '[,1]', '[,]', '[1] 2', '[1],', '"[]"', '[1,,2]', '[{]'])(
  'refuses %j',
  (text) => {
    expect(() => splitArray(Buffer.from(text), 1_000)).toThrow(
      expect.objectContaining({ code: 'JSON_INVALID' }) as Error,
    )
  },
)

test('accepts nothing that JSON.parse refuses, once its elements are checked too', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('[', ']', '{', '}', ',', ':', '"', '\\', ' ', '1', 'a') }),
      (text) => {
        const parsed = attempt(() => JSON.parse(text) as unknown)
        const split = attempt(() =>
          splitArray(Buffer.from(text), 1_000).map((one) => JSON.parse(one.toString()) as unknown),
        )
        expect(split).toEqual(Array.isArray(parsed) ? parsed : undefined)
      },
    ),
    { numRuns: 2_000 },
  )
})

test('accepts as many elements as the limit, and stops at the next one before reading the rest of the body', () => {
  expect(splitArray(Buffer.from('[1,2,3]'), 3)).toHaveLength(3)
  const refused = expect.objectContaining({ code: 'CONTENT_TOO_LARGE', facts: { limit: 3 } }) as Error
  expect(() => splitArray(Buffer.from('[1,2,3,4]'), 3)).toThrow(refused)
  // the rest is malformed: a scan that went on would report it
  expect(() => splitArray(Buffer.from('[1,2,3,4,,"'), 3)).toThrow(refused)
})

test('creates one view per returned element, however many elements the body has', () => {
  const body = Buffer.from(`[${'1,'.repeat(1_000_000)}1]`)
  const views = vi.spyOn(body, 'subarray')
  expect(() => splitArray(body, 100)).toThrow('more than 100 items')
  expect(views).toHaveBeenCalledTimes(100)
})

function attempt(work: () => unknown): unknown {
  try {
    return work()
  } catch {
    return undefined
  }
}
