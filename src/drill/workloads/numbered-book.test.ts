import { expect, test } from 'vitest'
import { createRandom } from '../../std/random.ts'
import { bytesOf, NUMBER_PATTERN, smallContent } from './content.ts'
import { createNumberedBook } from './numbered-book.ts'

const book = () => createNumberedBook(3, createRandom(1))

test('a content is the same whenever it is created, and different from every other', () => {
  expect(smallContent(3, 77)).toEqual(smallContent(3, 77))
  const bytes = Array.from({ length: 500 }, (_, number) => bytesOf({ content: smallContent(3, number), spelling: 0 }))
  expect(new Set(bytes.map(String)).size).toBe(500)
})

test('the number can be read from every spelling of a content', () => {
  for (let number = 0; number < 300; number++) {
    for (const spelling of smallContent(9, number).spellings) {
      expect(new RegExp(NUMBER_PATTERN).exec(String(spelling))?.[1]).toBe(String(number))
    }
  }
})

test('a content that is acknowledged several times counts once', () => {
  const numbers = book()
  const content = numbers.fresh()
  numbers.note(content, 'ok')
  numbers.note(content, 'ok')
  numbers.note(content, 'info')
  expect(numbers.acknowledged).toBe(1)
  expect(numbers.takeOpen(9)).toEqual([])
})

test.each(['info', 'fail'] as const)(
  'a content with the outcome %s is returned again until it is acknowledged',
  (outcome) => {
    const numbers = book()
    const content = numbers.fresh()
    numbers.note(content, outcome)
    expect(numbers.takeOpen(9)).toEqual([content])
    // while one request sends it, no other request gets it
    expect(numbers.takeOpen(9)).toEqual([])
    numbers.note(content, outcome)
    expect(numbers.takeOpen(9)).toEqual([content])
    numbers.note(content, 'ok')
    expect(numbers.takeOpen(9)).toEqual([])
    expect(numbers.acknowledged).toBe(1)
  },
)

test('the sample is bounded and has contents from the complete run', () => {
  const numbers = book()
  for (let count = 0; count < 20_000; count++) numbers.note(numbers.fresh(), 'ok')
  const sample = numbers.sample().map(({ number }) => number)
  expect(sample).toHaveLength(256)
  expect(Math.min(...sample)).toBeLessThan(2_000)
  expect(Math.max(...sample)).toBeGreaterThan(18_000)
})

test('a repeat was sent before', () => {
  const numbers = book()
  expect(numbers.repeat(createRandom(1))).toBeUndefined()
  const sent = Array.from({ length: 50 }, () => numbers.fresh().number)
  const random = createRandom(2)
  for (let draw = 0; draw < 200; draw++) expect(sent).toContain(numbers.repeat(random)?.number)
})
