import { describe, expect, test } from 'vitest'
import { isRetryable, parseAnswer, parseProblem } from './answers.ts'

describe('a line of the response to a stream', () => {
  test('is an item, a failed line, the summary or an early end', () => {
    expect(parseAnswer('{"line":3,"id":"j1-00","status":"created"}')).toEqual({
      kind: 'item',
      line: 3,
      status: 'created',
    })
    expect(parseAnswer('{"line":4,"error":{"code":"JSON_INVALID","detail":"no","position":2}}')).toEqual({
      kind: 'failed',
      failure: { line: 4, code: 'JSON_INVALID', detail: 'no' },
    })
    expect(parseAnswer('{"summary":{"lines":3,"created":1,"duplicate":2,"failed":0}}')).toEqual({
      kind: 'summary',
      counts: { created: 1, duplicate: 2, failed: 0 },
    })
    expect(parseAnswer('{"error":{"code":"SHUTTING_DOWN","detail":"bye","nextLine":7}}')).toEqual({
      kind: 'ended',
      code: 'SHUTTING_DOWN',
      detail: 'bye',
    })
  })

  test.each([
    '',
    'null',
    '[]',
    '{}',
    '{"line":1,"status":"maybe"}',
    '{"line":-1,"status":"created"}',
    '{"line":"1","status":"created"}',
    '{"summary":{"created":1,"duplicate":2}}',
    '{"summary":{"created":1,"duplicate":2,"failed":1e400}}',
    '{"error":"no"}',
    '{"line":1,"id":"j1-00","status":"crea',
    '<html>502 Bad Gateway</html>',
  ])('refuses an unknown line: %s', (text) => {
    expect(() => parseAnswer(text)).toThrow(/not a response of ingot/)
  })
})

test('an unknown code is final', () => {
  expect(isRetryable('SHUTTING_DOWN')).toBe(true)
  expect(isRetryable('STORE_UNAVAILABLE')).toBe(true)
  expect(isRetryable('JSON_INVALID')).toBe(false)
  expect(isRetryable('toString')).toBe(false)
  expect(isRetryable('')).toBe(false)
})

test('returns code, detail and remedy of a problem body, and the beginning of any other body', () => {
  expect(parseProblem('{"code":"TOKEN_MISSING","detail":"none","title":"send one"}')).toEqual({
    code: 'TOKEN_MISSING',
    detail: 'none',
    title: 'send one',
  })
  expect(parseProblem(`<html>${'x'.repeat(1_000)}`)).toEqual({
    code: '',
    detail: `<html>${'x'.repeat(194)}`,
    title: '',
  })
})
