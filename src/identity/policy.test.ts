import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_POLICY, parsePolicy, policyText, samePolicy } from './policy.ts'

describe('accepts', () => {
  test.each([
    { kind: 'json' },
    { kind: 'bytes' },
    { kind: 'fields', include: ['/Package', '/Version'] },
    { kind: 'fields', exclude: ['/meta/received', '/tags/0', '/a~1b', '/c~0d', '/', '/ab', '/a'] },
  ])('%j', (policy) => {
    expect(parsePolicy(policy)).toEqual(policy)
    expect(parsePolicy(JSON.parse(policyText(parsePolicy(policy))))).toSatisfy((again) =>
      samePolicy(again, parsePolicy(policy)),
    )
  })

  test('JSON by default', () => {
    expect(DEFAULT_POLICY).toEqual(parsePolicy({ kind: 'json' }))
  })
})

describe('refuses, with a message that says what to change', () => {
  test.each([
    [undefined, 'not an object'],
    [null, 'not an object'],
    ['json', 'not an object'],
    [['json'], 'not an object'],
    [{}, '"json", "bytes" or "fields"'],
    [{ kind: 'jcs' }, '"json", "bytes" or "fields"'],
    [{ kind: 'json', include: ['/a'] }, 'no member "include"'],
    [{ kind: 'bytes', x: 1 }, 'no member "x"'],
    [{ kind: 'fields' }, 'needs "include" or "exclude"'],
    [{ kind: 'fields', include: ['/a'], exclude: ['/b'] }, 'not both'],
    [{ kind: 'fields', include: ['/a'], only: 1 }, 'no member "only"'],
    [{ kind: 'fields', include: [] }, 'at least one JSON pointer'],
    [{ kind: 'fields', exclude: '/a' }, 'at least one JSON pointer'],
    [{ kind: 'fields', include: [1] }, 'not a string'],
    [{ kind: 'fields', include: ['a'] }, 'not a JSON pointer'],
    [{ kind: 'fields', include: ['/a~'] }, 'not a JSON pointer'],
    [{ kind: 'fields', include: ['/a~2'] }, 'not a JSON pointer'],
    [{ kind: 'fields', include: ['/\ud800'] }, 'not a JSON pointer'],
    [{ kind: 'fields', include: ['#/a'] }, 'not a JSON pointer'],
    [{ kind: 'fields', include: [''] }, 'the complete item'],
    [{ kind: 'fields', include: ['/a', '/a'] }, 'twice or within'],
    [{ kind: 'fields', include: ['/a/b', '/a'] }, '"/a/b" twice or within "/a"'],
    [{ kind: 'fields', exclude: ['/', '//x'] }, 'within'],
    [{ kind: 'fields', exclude: [`/${'a'.repeat(1_024)}`] }, '1025 characters'],
    [{ kind: 'fields', exclude: Array.from({ length: 101 }, (_, n) => `/${n}`) }, '101 pointers'],
  ])('%j', (value, words) => {
    expect(() => parsePolicy(value)).toThrow(
      expect.objectContaining({ code: 'POLICY_INVALID', message: expect.stringContaining(words) as string }),
    )
  })
})

test('two policies are equal for any order of their pointers, and only then', () => {
  const pointers = fc.uniqueArray(fc.constantFrom('/a', '/b', '/c', '/d', '/ä', '/😀', '/\ufb33'), { minLength: 1 })
  fc.assert(
    fc.property(pointers, pointers, (one, other) => {
      const [a, b] = [parsePolicy({ kind: 'fields', include: one }), parsePolicy({ kind: 'fields', include: other })]
      expect(samePolicy(a, b)).toBe(new Set([...one, ...other]).size === one.length && one.length === other.length)
      expect(samePolicy(a, parsePolicy({ kind: 'fields', exclude: one }))).toBe(false)
      expect(samePolicy(a, DEFAULT_POLICY)).toBe(false)
    }),
  )
})
