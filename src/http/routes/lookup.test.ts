import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { openTestApp, type TestApp } from '../../testing/app.ts'
import { tokenAccess } from '../access.ts'

interface Fixture {
  readonly media: string
  readonly content: string | Uint8Array
}

const json = (content: string): Fixture => ({ media: 'application/json', content })
const bytes = (content: Uint8Array): Fixture => ({ media: 'application/octet-stream', content })

/** 50 contents: several spellings of some values, bytes, and texts in different scripts. */
const FIXTURES: readonly Fixture[] = [
  ...['1', '1.0', '1e0', '10e-1', '-0', '0', '1e21', '1E-7', '0.1'].map(json),
  ...['null', 'true', 'false', '""', '"a"', '"\\u0061"', '"\\u20ac"', '"€"', '"😀"', '[]', '{}'].map(json),
  ...['{"a":1,"b":2}', '{"b":2,"a":1}', ' { "a" : 1.0 , "b" : 2 } ', '{"a":{"b":[1,{}]}}', '[1,2]', '[2,1]'].map(json),
  ...Array.from({ length: 14 }, (_, at) => json(`{"order": ${at}, "total": ${at}.50}`)),
  ...Array.from({ length: 10 }, (_, at) => bytes(Buffer.from([at, 0, 255, 128]))),
]

const LOOKUP = '/v1/collections/things/lookup'
const ITEMS = '/v1/collections/things/items'

const send = async (app: TestApp, url: string, { media, content }: Fixture) =>
  (await app.post(url, content, { 'content-type': media })).json<Record<string, unknown>>()

/** Sends every fixture to `url`, and expects that nothing is stored afterwards. */
async function lookUpAll(app: TestApp, url: string): Promise<readonly Record<string, unknown>[]> {
  const seen: Record<string, unknown>[] = []
  for (const fixture of FIXTURES) seen.push(await send(app, url, fixture))
  expect(await app.stored('things')).toEqual([])
  expect((await app.get('/v1/collections')).json()).toEqual({ collections: [] })
  return seen
}

describe('a lookup', () => {
  test('mutation: a lookup that saves is detected', async () => {
    const app = await openTestApp()
    await expect(lookUpAll(app, ITEMS)).rejects.toThrow('to deeply equal []')
  })

  test('of 50 contents saves nothing, and agrees with a later POST', async () => {
    expect(FIXTURES).toHaveLength(50)
    const app = await openTestApp()
    const before = await lookUpAll(app, LOOKUP)
    expect(before.map(({ stored }) => stored)).toEqual(FIXTURES.map(() => false))

    const created = new Set<unknown>()
    for (const [at, fixture] of FIXTURES.entries()) {
      const posted = await send(app, ITEMS, fixture)
      expect(posted['id']).toBe(before[at]?.['id'])
      expect(posted['status']).toBe(created.has(posted['id']) ? 'duplicate' : 'created')
      created.add(posted['id'])
      expect(await send(app, LOOKUP, fixture)).toEqual({
        ...before[at],
        stored: true,
        firstSeen: posted['firstSeen'],
      })
    }
    expect(await app.stored('things')).toHaveLength(created.size)
  })

  test('returns the text whose digest the id is', async () => {
    const app = await openTestApp()
    for (const fixture of FIXTURES.filter(({ media }) => media === 'application/json')) {
      const { id, canonical } = await send(app, LOOKUP, fixture)
      expect(id).toBe(`j1-${createHash('sha256').update(String(canonical)).digest('hex')}`)
    }
    expect(await send(app, LOOKUP, bytes(Buffer.from('x')))).not.toHaveProperty('canonical')
  })

  test('identifies by the policy of the collection', async () => {
    const app = await openTestApp()
    const policy = { kind: 'fields', include: ['/email'] }
    await app.app.inject({ method: 'PUT', url: '/v1/collections/things', payload: policy })
    const known = await send(app, LOOKUP, json('{"seen": 1, "email": "a@b.example"}'))
    expect(known).toMatchObject({ policy, canonical: '{"/email":"a@b.example"}', stored: false })
    expect(await send(app, LOOKUP, json('{"seen": 1}'))).toMatchObject({ code: 'FIELDS_MISSING' })
  })

  test('finds an item no more after its deletion', async () => {
    const app = await openTestApp()
    const { id } = await send(app, ITEMS, json('1'))
    await app.app.inject({ method: 'DELETE', url: `${ITEMS}/${String(id)}` })
    expect(await send(app, LOOKUP, json('1'))).toMatchObject({ id, stored: false })
  })

  test.each([
    ['application/json', '{"a":1,"a":2}', 'JSON_DUPLICATE_MEMBER'],
    ['application/json', '', 'JSON_INVALID'],
    ['application/json', `[${'1,'.repeat(600)}1]`, 'CONTENT_TOO_LARGE'],
    ['application/x-ndjson', '1\n', 'MEDIA_TYPE_UNSUPPORTED'],
    ['text/plain', '1', 'MEDIA_TYPE_UNSUPPORTED'],
  ])('refuses %s %j with a code', async (media, content, code) => {
    const app = await openTestApp()
    expect(await send(app, LOOKUP, { media, content })).toMatchObject({ code })
  })
})

describe('the right observe', () => {
  const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex')
  const open = () =>
    openTestApp({
      authenticate: tokenAccess([
        { name: 'observer', sha256: sha256('o'), collections: { '*': ['observe'] } },
        { name: 'narrow', sha256: sha256('n'), collections: { things: ['observe'] } },
        { name: 'worker', sha256: sha256('w'), collections: { '*': ['read', 'write', 'delete'] } },
      ]),
    })
  const as = (token: string) => ({ authorization: `Bearer ${token}` })

  test.each([
    ['o', { list: 200, lookup: 200, write: 403 }],
    ['n', { list: 403, lookup: 200, write: 403 }],
    ['w', { list: 403, lookup: 403, write: 201 }],
    ['x', { list: 401, lookup: 401, write: 401 }],
  ])('admits token %j to %j', async (token, status) => {
    const app = await open()
    expect((await app.get('/v1/collections', as(token))).statusCode).toBe(status.list)
    expect((await app.post(LOOKUP, '1', as(token))).statusCode).toBe(status.lookup)
    expect((await app.post(ITEMS, '1', as(token))).statusCode).toBe(status.write)
  })
})

describe('the list of collections', () => {
  test('has pages in the order of the names', async () => {
    const app = await openTestApp()
    for (const name of ['c', 'a', 'b']) await app.post(`/v1/collections/${name}/items:batch`, '[1,2]')
    const first = (await app.get('/v1/collections?limit=2')).json<unknown>()
    const described = (collection: string) => ({ collection, policy: { kind: 'json' }, estimatedItems: 2 })
    expect(first).toEqual({ collections: [described('a'), described('b')], next: 'b' })
    expect((await app.get('/v1/collections?limit=2&after=b')).json()).toEqual({ collections: [described('c')] })
  })

  test.each(['limit=0', 'limit=101', 'after=A', 'page=2'])('refuses ?%s', async (query) => {
    const app = await openTestApp()
    expect((await app.get(`/v1/collections?${query}`)).json()).toMatchObject({ code: 'REQUEST_INVALID' })
  })
})
