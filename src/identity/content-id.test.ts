import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { judge } from '../testing/json/oracle.ts'
import { chooser, sample, spell } from '../testing/json/spellings.ts'
import { contentIdOf, formatContentId, identify, identityKind, parseContentId } from './content-id.ts'
import { type IdentityPolicy, parsePolicy } from './policy.ts'

const LIMITS = { maxDepth: 16 }
const JSON_POLICY = parsePolicy({ kind: 'json' })
const BYTES_POLICY = parsePolicy({ kind: 'bytes' })
const including = (...include: string[]): IdentityPolicy => parsePolicy({ kind: 'fields', include })
const excluding = (...exclude: string[]): IdentityPolicy => parsePolicy({ kind: 'fields', exclude })

function idOf(policy: IdentityPolicy, content: string | Uint8Array, media: 'json' | 'bytes' = 'json'): string {
  return formatContentId(identityKind(policy, media), identify(policy, media, Buffer.from(content), LIMITS))
}

const sha256 = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

describe('the id of', () => {
  test('a JSON item is the SHA-256 of its canonical text', () => {
    expect(idOf(JSON_POLICY, ' { "b" : [1e0,"\\u0041"] , "a":10e-1 } ')).toBe(`j1-${sha256('{"a":1,"b":[1,"A"]}')}`)
  })

  test('bytes is the SHA-256 of the bytes as they came, in any collection that accepts them', () => {
    const bytes = Uint8Array.of(0, 255, 1)
    expect(idOf(BYTES_POLICY, bytes, 'bytes')).toBe(`b1-${sha256('b1\n', bytes)}`)
    expect(idOf(JSON_POLICY, bytes, 'bytes')).toBe(idOf(BYTES_POLICY, bytes, 'bytes'))
    expect(idOf(BYTES_POLICY, '{"a": 1}')).not.toBe(idOf(BYTES_POLICY, '{"a":1}'))
  })

  test('an item identified by fields is the SHA-256 of those fields', () => {
    expect(idOf(including('/a', '/c/d'), '{"c":{"d":null},"b":2}')).toBe(`f1-${sha256('f1\n{"/c/d":null}')}`)
    expect(idOf(excluding('/a', '/c/d'), '{"c":{"d":null},"b":2}')).toBe(`f1-${sha256('f1\n{"b":2,"c":{}}')}`)
  })

  test('content does not depend on its location in memory', () => {
    const line = Buffer.from('x{"a":[1,2]}y').subarray(1, 12)
    expect(identify(JSON_POLICY, 'json', line, LIMITS)).toEqual(contentIdOf(JSON_POLICY, Uint8Array.from(line)))
    expect(contentIdOf(BYTES_POLICY, line)).toEqual(identify(BYTES_POLICY, 'json', Uint8Array.from(line), LIMITS))
  })

  test('two items is the same exactly if they are the same value', () => {
    fc.assert(
      fc.property(sample, sample, fc.integer(), fc.integer(), (one, other, seed, otherSeed) => {
        const [a, again, b] = [spell(one, chooser(seed)), spell(one, chooser(otherSeed)), spell(other, chooser(seed))]
        expect(idOf(JSON_POLICY, again)).toBe(idOf(JSON_POLICY, a))
        expect(idOf(JSON_POLICY, b) === idOf(JSON_POLICY, a)).toBe(keyOf(b) === keyOf(a))
      }),
      { numRuns: 2_000 },
    )
  })
})

function keyOf(text: string): string {
  const verdict = judge(text, LIMITS.maxDepth)
  return verdict.accepted ? verdict.key : 'refused'
}

describe('ids of different kinds', () => {
  test('have different digests, for any bytes', () => {
    const canonical = '{"/a":1}'
    const digests = [
      identify(JSON_POLICY, 'json', Buffer.from(canonical), LIMITS),
      identify(including('/a'), 'json', Buffer.from('{"a":1}'), LIMITS),
      ...[canonical, `f1\n${canonical}`, `b1\n${canonical}`].map((bytes) =>
        contentIdOf(BYTES_POLICY, Buffer.from(bytes)),
      ),
    ].map((digest) => Buffer.from(digest).toString('hex'))
    expect(new Set(digests).size).toBe(5)
  })
})

describe('policies of kind fields', () => {
  const same = (policy: IdentityPolicy, one: string, other: string): boolean =>
    idOf(policy, one) === idOf(policy, other)

  test('with include treat items with equal fields as the same', () => {
    expect(same(including('/a', '/b/0'), '{"a":1,"b":[2,3],"x":0}', '{"x":9,"b":[2.0],"\\u0061":1e0}')).toBe(true)
    expect(same(including('/a', '/b/0'), '{"a":1,"b":[2]}', '{"a":1,"b":[3]}')).toBe(false)
    expect(same(including('/a', '/b'), '{"a":1}', '{"b":1}')).toBe(false)
    expect(same(including('/b', '/a'), '{"a":1,"b":2}', '{"a":1,"b":2,"c":3}')).toBe(true)
  })

  test('treat null as a value, and a missing field as absent', () => {
    expect(same(including('/a', '/b'), '{"a":1,"b":null}', '{"a":1}')).toBe(false)
    expect(() => idOf(including('/a'), '{"a":null}')).not.toThrow()
  })

  test('with exclude ignore the fields, present or not', () => {
    expect(same(excluding('/t', '/m/r'), '{"t":1,"m":{"r":2,"s":3}}', '{"m":{"s":3}}')).toBe(true)
    expect(same(excluding('/t'), '{"t":1,"a":1}', '{"t":1,"a":2}')).toBe(false)
    expect(same(excluding('/0', '/2'), '["x",1,"y",2]', '[null,1,null,2]')).toBe(true)
    expect(same(excluding('/0', '/2'), '["x",1,"y",2]', '["x",1,"y",3]')).toBe(false)
  })

  test.each([
    ['/a~1b', '{"a/b":1}'],
    ['/a~0b', '{"a~b":1}'],
    ['/~01', '{"~1":1}'],
    ['/', '{"":1}'],
    ['//', '{"":{"":1}}'],
    ['/__proto__/x', '{"__proto__":{"x":1}}'],
    ['/0', '[1]'],
    ['/0', '{"0":1}'],
    ['/01', '{"01":1}'],
    ['/-', '{"-":1}'],
    ['/é', '{"\\u00e9":1}'],
    ['/m/3', '{"m":[0,0,0,1]}'],
  ])('%s is in %s', (pointer, text) => {
    expect(idOf(including(pointer), text)).toBe(`f1-${sha256(`f1\n{${JSON.stringify(pointer)}:1}`)}`)
    expect(idOf(excluding(pointer), text)).not.toBe(`f1-${sha256(`f1\n${text}`)}`)
  })

  test.each([
    ['/a', '{}'],
    ['/a', '[]'],
    ['/a/b', '{"a":"b"}'],
    ['/a/length', '{"a":"b"}'],
    ['/length', '[]'],
    ['/0', '[]'],
    ['/00', '[1]'],
    ['/-', '[1]'],
    ['/1e0', '[1,1]'],
    ['/toString', '{}'],
    ['/__proto__', '{}'],
    ['/a', '"a"'],
    ['/a', '1'],
    ['/a', 'null'],
  ])('%s is not in %s', (pointer, text) => {
    expect(() => idOf(including(pointer), text)).toThrow(expect.objectContaining({ code: 'FIELDS_MISSING' }))
  })

  test('find a field in an object of any size, and only there', () => {
    for (let size = 1; size < 20; size += 1) {
      const names = Array.from({ length: size }, (_, n) => `k${n * 2}`)
      const text = JSON.stringify(Object.fromEntries(names.map((name) => [name, name])))
      for (const name of names) {
        expect(idOf(including(`/${name}`), text)).toBe(`f1-${sha256(`f1\n{"/${name}":"${name}"}`)}`)
        expect(() => idOf(including(`/${name}1`, '/a', '/z'), text)).toThrow('none of the fields')
      }
    }
  })

  test('require an object or an array', () => {
    const missing: unknown = expect.objectContaining({ code: 'FIELDS_MISSING' })
    expect(() => idOf(excluding('/a'), '1')).toThrow(missing)
    expect(() => idOf(excluding('/a'), '{}', 'bytes')).toThrow(missing)
    expect(() => idOf(including('/a'), '{"a":1}', 'bytes')).toThrow(missing)
  })

  test('still refuse errors elsewhere in the item', () => {
    const at = (code: string, position: number): unknown =>
      expect.objectContaining({ code, facts: expect.objectContaining({ position }) as unknown })
    expect(() => idOf(including('/a'), '{"a":1,"é":1e400}')).toThrow(at('NUMBER_PRECISION', 12))
    expect(() => idOf(excluding('/b'), '{"a":1,"b":1,"b":2}')).toThrow(at('JSON_DUPLICATE_MEMBER', 13))
  })
})

describe('the text of an id', () => {
  test('is parsed as it was written', () => {
    for (const kind of ['json', 'bytes', 'fields'] as const) {
      const digest = contentIdOf(BYTES_POLICY, Buffer.from(kind))
      expect(parseContentId(formatContentId(kind, digest))).toEqual({ kind, digest })
    }
  })

  const hex = 'ab'.repeat(32)
  test.each([
    '',
    hex,
    `j2-${hex}`,
    `x1-${hex}`,
    `J1-${hex}`,
    `j1-${hex.toUpperCase()}`,
    `j1-${hex}0`,
    `j1-${hex.slice(1)}`,
    `j1_${hex}`,
    ` j1-${hex}`,
    `j1-${hex}\n`,
    `constructor-${hex}`,
    `j1-${'g'.repeat(64)}`,
  ])('is not %j', (text) => {
    expect(parseContentId(text)).toBeUndefined()
  })
})
