import { expect, test } from 'vitest'
import { IngotError, reasonOf, toIngotError } from './error.ts'

test.each([
  [new Error('no room'), 'no room'],
  ['thrown by itself', 'thrown by itself'],
  [new TypeError(), 'TypeError'],
  [
    new AggregateError([new Error('refused by ::1'), new Error('refused by 127.0.0.1')]),
    /^refused by ::1, refused by 127/,
  ],
  [new AggregateError([], 'all of them'), 'all of them'],
])('the reason of %s is never empty', (thrown, said) => {
  expect(reasonOf(thrown)).toMatch(said)
  expect(toIngotError(thrown)).toMatchObject({ code: 'INTERNAL', message: reasonOf(thrown), cause: thrown })
})

test('a refusal of content records no stack; any other error does', () => {
  const frames = (fault: IngotError): number =>
    (fault.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)).length
  for (const code of ['JSON_INVALID', 'NUMBER_PRECISION', 'CONTENT_TOO_LARGE'] as const) {
    expect(frames(new IngotError(code, 'bad'))).toBe(0)
    expect(frames(new IngotError('INTERNAL', 'a bug'))).toBeGreaterThan(0)
  }
  expect(frames(new IngotError('LOCK_KEY_INVALID', 'bad'))).toBeGreaterThan(0)
})
