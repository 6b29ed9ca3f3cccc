import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createNames, TAGS, tagOf } from './keys.ts'

test('the tag of a key never changes', () => {
  expect(['a', 'order:42', 'ü€😀', 'x'.repeat(512)].map(tagOf)).toEqual([288, 1004, 429, 345])
})

test('keys spread evenly over the tags', () => {
  const counts = Array.from({ length: TAGS }, () => 0)
  for (let i = 0; i < 100 * TAGS; i++) counts[tagOf(`item:${i}`)] = (counts[tagOf(`item:${i}`)] ?? 0) + 1
  // 100 expected, standard deviation 10
  expect(Math.min(...counts)).toBeGreaterThan(50)
  expect(Math.max(...counts)).toBeLessThan(150)
})

test('a lock name converts back to any key', () => {
  const names = createNames('ingot')
  fc.assert(fc.property(fc.string({ minLength: 1, unit: 'binary' }), (key) => names.keyOf(names.of(key).lock) === key))
  expect(names.keyOf('other:{1}:lock:a')).toBeUndefined()
})
