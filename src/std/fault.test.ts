import { expect, test } from 'vitest'
import { reasonOf, toFault } from './fault.ts'

test.each([
  [new Error('no room'), 'no room'],
  ['thrown by itself', 'thrown by itself'],
  [new TypeError(), 'TypeError'],
  [
    new AggregateError([new Error('refused by ::1'), new Error('refused by 127.0.0.1')]),
    /^refused by ::1, refused by 127/,
  ],
  [new AggregateError([], 'all of them'), 'all of them'],
])('of %s there is always something to say', (thrown, said) => {
  expect(reasonOf(thrown)).toMatch(said)
  expect(toFault(thrown)).toMatchObject({ code: 'INTERNAL', message: reasonOf(thrown), cause: thrown })
})
