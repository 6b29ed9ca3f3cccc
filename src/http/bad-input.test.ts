/** Bad input, row by row of the table in GUARANTEES.md. Each test checks the response and the content of the store. */
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import type { LightMyRequestResponse } from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ERRORS, type ErrorCode, IngotError } from '../errors/error.ts'
import type { ItemStore } from '../items/store.ts'
import { createMemoryStore } from '../items/stores/memory/store.ts'
import { openSqliteStore } from '../items/stores/sqlite/store.ts'
import { answerLines, openTestApp, overStore, type TestApp, type TestAppOptions } from '../testing/app.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { ask, jsonOf } from '../testing/http/requests.ts'
import { type Authenticate, tokenAccess } from './access.ts'

const NDJSON = { 'content-type': 'application/x-ndjson' }

let sqlite: ItemStore
const folder = temporaryFolder()
beforeAll(async () => {
  sqlite = await openSqliteStore(folder)
})
afterAll(() => sqlite[Symbol.asyncDispose]())

/** A fresh collection for each test, on the one store. */
let things = ''
let count = 0
beforeEach(() => void (things = `things-${++count}`))
const path = (kind: 'items' | 'batch' = 'items'): string =>
  `/v1/collections/${things}/items${kind === 'batch' ? ':batch' : ''}`

/** Opens an app on the embedded store. */
function openApp(options: TestAppOptions = {}): Promise<TestApp> {
  return openTestApp({ store: overStore(sqlite, { [Symbol.asyncDispose]: async () => {} }), maxDepth: 5, ...options })
}

/** Asserts a problem body with that code, a remedy and a trace id. */
function expectProblem(answer: LightMyRequestResponse, code: ErrorCode): Record<string, unknown> {
  const problem: Record<string, unknown> = answer.json()
  expect(problem).toMatchObject({ code, status: ERRORS[code].status, title: ERRORS[code].remedy })
  expect(problem['traceId']).toMatch(/^[0-9a-f]{32}$/)
  expect(answer.statusCode).toBe(ERRORS[code].status)
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(answer.headers['retry-after'] !== undefined).toBe(ERRORS[code].retryable)
  return problem
}

/** Asserts that the service still works, and that the collection holds exactly these items. */
async function expectAlive(app: TestApp, texts: readonly string[] = []): Promise<void> {
  expect(await app.stored(things)).toEqual(texts)
  const next = await app.post(path(), '"alive"')
  expect(next.statusCode).toBe(201)
  expect(await app.stored(things)).toEqual([...texts, '"alive"'])
}

const BAD: readonly [what: string, code: ErrorCode, text: string | Buffer, position: number][] = [
  ['malformed JSON', 'JSON_INVALID', '{"a": tru}', 6],
  ['a trailing comma', 'JSON_INVALID', '{"a":1,}', 7],
  ['invalid UTF-8', 'JSON_INVALID', Buffer.from([0x22, 0x61, 0xff, 0x22]), 2],
  ['a duplicate member', 'JSON_DUPLICATE_MEMBER', '{"a":1,"b":2,"a":1}', 13],
  ['a duplicate member in another spelling', 'JSON_DUPLICATE_MEMBER', String.raw`{"a":1,"\u0061":1}`, 7],
  ['a lone surrogate', 'JSON_LONE_SURROGATE', String.raw`{"a":"x\ud800y"}`, 7],
  ['an integer that a double cannot hold', 'NUMBER_PRECISION', '{"a":9007199254740993}', 5],
  ['a number out of range', 'NUMBER_PRECISION', '[1e999]', 1],
  ['too deep nesting', 'JSON_TOO_DEEP', '[[[[[[1]]]]]]', 5],
]

describe('content that is not one item', () => {
  test.each(BAD)('refuses %s as %s, with its position', async (_what, code, text, position) => {
    const app = await openApp()
    const problem = expectProblem(await app.post(path(), text), code)
    expect(problem['position']).toBe(position)
    expect(problem['detail']).toContain(String(position))
    await expectAlive(app)
  })

  test.each(BAD)('%s fails only its line of a stream, as %s', async (_what, code, text, position) => {
    const app = await openApp()
    const body = Buffer.concat([Buffer.from('1\n'), Buffer.from(text), Buffer.from('\n2\n')])
    const [first, second, third, last] = answerLines((await app.post(path(), body, NDJSON)).body)
    expect(first).toMatchObject({ line: 1, status: 'created' })
    expect(second).toMatchObject({
      line: 2,
      error: { code, detail: expect.stringContaining(String(position)) as string },
    })
    expect(third).toMatchObject({ line: 3, status: 'created' })
    expect(last).toEqual({ summary: { lines: 3, created: 2, duplicate: 0, failed: 1 } })
    await expectAlive(app, ['1', '2'])
  })

  test.each(BAD.filter(([, code]) => code !== 'JSON_INVALID'))(
    '%s fails only its element of a batch, as %s',
    async (_what, code, text) => {
      const app = await openApp()
      const answer = await app.post(
        path('batch'),
        Buffer.concat([Buffer.from('[1,'), Buffer.from(text), Buffer.from(',2]')]),
      )
      expect(answer.json()).toMatchObject({
        errors: true,
        counts: { created: 2, duplicate: 0, failed: 1 },
        items: [{ index: 0, status: 'created' }, { index: 1, status: 'failed', error: { code } }, { index: 2 }],
      })
      await expectAlive(app, ['1', '2'])
    },
  )

  test.each(BAD.filter(([, code]) => code === 'JSON_INVALID'))(
    '%s makes the complete batch malformed: nothing of it is stored',
    async (_what, code, text) => {
      const app = await openApp()
      const body = Buffer.concat([Buffer.from('["half",'), Buffer.from(text), Buffer.from(',2]')])
      expectProblem(await app.post(path('batch'), body), code)
      await expectAlive(app)
    },
  )

  test.each(['{"a":1}', '[1,', '', 'null', '[1] 2', '[1,,2]'])('%j is not a batch', async (text) => {
    const app = await openApp()
    const problem = expectProblem(await app.post(path('batch'), text), 'JSON_INVALID')
    expect(problem['position']).toBeTypeOf('number')
    await expectAlive(app)
  })

  test('an empty body is not an item', async () => {
    const app = await openApp()
    expectProblem(await app.post(path(), ''), 'JSON_INVALID')
    await expectAlive(app)
  })

  test('refuses an item without any of the collection’s identity fields', async () => {
    const app = await openApp()
    const policy = JSON.stringify({ kind: 'fields', include: ['/a'] })
    await app.app.inject({
      method: 'PUT',
      url: `/v1/collections/${things}`,
      payload: policy,
      headers: { 'content-type': 'application/json' },
    })
    expectProblem(await app.post(path(), '{"b":1}'), 'FIELDS_MISSING')
    expect(await app.stored(things)).toEqual([])
  })
})

describe('media types and encodings', () => {
  test.each(['items', 'batch'] as const)('%s: refuses an unknown media type', async (kind) => {
    const app = await openApp()
    for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'nonsense']) {
      expectProblem(await app.post(path(kind), '1', { 'content-type': type }), 'MEDIA_TYPE_UNSUPPORTED')
    }
    await expectAlive(app)
  })

  test('refuses a body without a media type', async () => {
    const app = await openApp()
    const answer = await app.app.inject({ method: 'POST', url: path(), payload: Buffer.from('1') })
    expectProblem(answer, 'MEDIA_TYPE_UNSUPPORTED')
    await expectAlive(app)
  })

  test('accepts a batch only as a JSON array', async () => {
    const app = await openApp()
    for (const type of ['application/octet-stream', 'application/x-ndjson']) {
      expectProblem(await app.post(path('batch'), '[1]', { 'content-type': type }), 'MEDIA_TYPE_UNSUPPORTED')
    }
    await expectAlive(app)
  })

  test.each(['gzip', 'br', 'deflate', 'zstd'])('refuses the content encoding %s', async (encoding) => {
    const app = await openApp()
    for (const type of ['application/json', 'application/octet-stream', 'application/x-ndjson']) {
      const answer = await app.post(path(), '1', { 'content-type': type, 'content-encoding': encoding })
      expectProblem(answer, 'MEDIA_TYPE_UNSUPPORTED')
    }
    await expectAlive(app)
  })
})

describe('too large', () => {
  const http = { maxItemBytes: 20, maxBatchBytes: 100, maxBatchItems: 3 }
  const long = `"${'x'.repeat(19)}"`

  test.for([
    ['an item', 'items', long, {}, '20'],
    ['a single item in bytes', 'items', long, { 'content-type': 'application/octet-stream' }, '20'],
    ['a batch in bytes', 'batch', `[${'1,'.repeat(60)}1]`, {}, '100'],
    ['a batch in items', 'batch', '[1,2,3,4]', {}, '3'],
  ] as const)('refuses %s over the limit, and names the limit', async ([, kind, body, headers, limit]) => {
    const app = await openApp({ http })
    const problem = expectProblem(await app.post(path(kind), body, headers), 'CONTENT_TOO_LARGE')
    expect(problem['detail']).toContain(limit)
    await expectAlive(app)
  })

  test('accepts input exactly at the limit', async () => {
    const app = await openApp({ http })
    const most = `"${'x'.repeat(18)}"`
    expect((await app.post(path(), most)).statusCode).toBe(201)
    expect((await app.post(path('batch'), '[1,2,3]')).json()).toMatchObject({ counts: { created: 3 } })
    expect(answerLines((await app.post(path(), `${most}\r\n`, NDJSON)).body)[0]).toMatchObject({ status: 'duplicate' })
  })

  test('an oversized element of a batch fails alone', async () => {
    const app = await openApp({ http })
    expect((await app.post(path('batch'), `[1,${long},2]`)).json()).toMatchObject({
      counts: { created: 2, failed: 1 },
      items: [{}, { status: 'failed', error: { code: 'CONTENT_TOO_LARGE' } }, {}],
    })
    await expectAlive(app, ['1', '2'])
  })

  test('an oversized line of a stream fails alone, including an unterminated last line', async () => {
    const app = await openApp({ http })
    const lines = answerLines((await app.post(path(), `1\n${long}\n2\n${long}`, NDJSON)).body)
    expect(lines).toMatchObject([
      { line: 1 },
      { line: 2, error: { code: 'CONTENT_TOO_LARGE', detail: expect.stringContaining('20') as string } },
      { line: 3 },
      { line: 4, error: { code: 'CONTENT_TOO_LARGE' } },
      { summary: { lines: 4, created: 2, failed: 2 } },
    ])
    await expectAlive(app, ['1', '2'])
  })
})

describe('collections and policies', () => {
  const put = (app: TestApp, name: string, payload: string): Promise<LightMyRequestResponse> =>
    app.app.inject({
      method: 'PUT',
      url: `/v1/collections/${name}`,
      payload,
      headers: { 'content-type': 'application/json' },
    })

  test.each([
    '{"kind":"unheard"}',
    '{}',
    '[]',
    'null',
    '{"kind":"fields"}',
    '{"kind":"fields","include":[]}',
    '{"kind":"fields","include":["a"]}',
    '{"kind":"fields","include":["/a"],"exclude":["/b"]}',
    '{"kind":"json","more":1}',
  ])('refuses the policy %s', async (policy) => {
    const app = await openApp()
    expectProblem(await put(app, things, policy), 'POLICY_INVALID')
    expect(await app.store.collection(things)).toBeUndefined()
    await expectAlive(app)
  })

  test('refuses a policy that is not JSON', async () => {
    const app = await openApp()
    expectProblem(await put(app, things, '{'), 'JSON_INVALID')
    expect(await app.store.collection(things)).toBeUndefined()
  })

  test.each(['Things', '-x', 'a b', 'a%2Fb', 'x'.repeat(65), 'ä'])('refuses the collection name %j', async (name) => {
    const app = await openApp()
    const base = `/v1/collections/${encodeURI(name)}`
    expectProblem(await put(app, encodeURI(name), '{"kind":"json"}'), 'COLLECTION_NAME_INVALID')
    for (const [at, headers] of [
      [`${base}/items`, {}],
      [`${base}/items:batch`, {}],
      [`${base}/items`, NDJSON],
    ] as const) {
      expectProblem(await app.post(at, '[1]', headers), 'COLLECTION_NAME_INVALID')
    }
    expectProblem(await app.get(`${base}/items`), 'COLLECTION_NAME_INVALID')
    expect(await app.store.collection(name)).toBeUndefined()
  })
})

describe('Idempotency-Key', () => {
  const key = (): Record<string, string> => ({ 'idempotency-key': `key-${things}` })

  test.each([
    ['the same path with other content', () => path(), '2', {}],
    ['the batch path', () => path('batch'), '[1]', {}],
    ['another collection', () => '/v1/collections/others/items', '1', {}],
    ['another media type', () => path(), '1', { 'content-type': 'application/octet-stream' }],
  ])('refuses reuse for %s', async (_what, pathOf, body, headers) => {
    const app = await openApp()
    expect((await app.post(path(), '1', key())).statusCode).toBe(201)
    expectProblem(await app.post(pathOf(), body, { ...headers, ...key() }), 'IDEMPOTENCY_KEY_REUSED')
    expect(await app.stored('others')).toEqual([])
    await expectAlive(app, ['1'])
  })

  test.each(['', 'a b', 'ü', 'x'.repeat(256)])('%j is not a valid key', async (bad) => {
    const app = await openApp()
    for (const kind of ['items', 'batch'] as const) {
      expectProblem(await app.post(path(kind), '[1]', { 'idempotency-key': bad }), 'IDEMPOTENCY_KEY_INVALID')
    }
    await expectAlive(app)
  })

  test('is refused on a stream', async () => {
    const app = await openApp()
    expectProblem(await app.post(path(), '1\n', { ...NDJSON, ...key() }), 'IDEMPOTENCY_KEY_INVALID')
    await expectAlive(app)
  })

  test('is not used up by a request that was refused', async () => {
    const app = await openApp()
    expectProblem(await app.post(path(), '{', key()), 'JSON_INVALID')
    expect((await app.post(path(), '1', key())).statusCode).toBe(201)
  })
})

/** A store whose `put` waits until it is released, or fails. */
function slowStore(): { store: ItemStore; release: () => void; down: (error: IngotError | undefined) => void } {
  const inner = createMemoryStore()
  const gate = Promise.withResolvers<void>()
  let error: IngotError | undefined
  const refuse = (): void => {
    if (error !== undefined) throw error
  }
  const store = overStore(inner, {
    async put(units, nowMs) {
      await gate.promise
      refuse()
      return inner.put(units, nowMs)
    },
    async collection(name) {
      refuse()
      return inner.collection(name)
    },
    async check() {
      refuse()
    },
  })
  return { store, release: gate.resolve, down: (next) => void (error = next) }
}

describe('when the store cannot take items', () => {
  test('a full queue refuses with 429, and accepts again afterwards', async () => {
    const { store, release } = slowStore()
    const app = await openTestApp({ store, maxPendingItems: 2 })
    const waiting = [app.post(path(), '1'), app.post(path(), '2')]
    for (const [at, body] of [
      [path(), '3'],
      [path('batch'), '[4,5]'],
    ] as const) {
      expectProblem(await app.post(at, body), 'OVERLOADED')
      expectProblem(await app.post(at, body, { 'idempotency-key': 'k' }), 'OVERLOADED')
    }
    release()
    expect((await Promise.all(waiting)).map((answer) => answer.statusCode)).toEqual([201, 201])
    await expectAlive(app, ['1', '2'])
  })

  test('a full queue delays streams, and fails none of them', async () => {
    const { store, release } = slowStore()
    const app = await openTestApp({ store, maxPendingItems: 2 })
    const bodies = Array.from({ length: 5 }, (_, stream) => Array.from({ length: 30 }, (_line, n) => stream * 100 + n))
    const streams = bodies.map((numbers) => app.post(path(), numbers.join('\n'), NDJSON))
    release()
    for (const answer of await Promise.all(streams)) {
      expect(answerLines(answer.body).at(-1)).toEqual({ summary: { lines: 30, created: 30, duplicate: 0, failed: 0 } })
    }
    expect((await app.stored(things)).length).toBe(150)
  })

  test('a store that is down causes 503, stores no part of a batch, and fails readiness', async () => {
    const { store, release, down } = slowStore()
    release()
    const app = await openTestApp({ store })
    down(new IngotError('STORE_UNAVAILABLE', 'the store is down'))
    for (const headers of [{}, { 'idempotency-key': 'k' }]) {
      expectProblem(await app.post(path(), '1', headers), 'STORE_UNAVAILABLE')
      expectProblem(await app.post(path('batch'), '[1,2]', headers), 'STORE_UNAVAILABLE')
    }
    const [last] = answerLines((await app.post(path(), '1\n2\n', NDJSON)).body)
    expect(last).toMatchObject({ error: { code: 'STORE_UNAVAILABLE', nextLine: 1 } })
    expectProblem(await app.get('/readyz'), 'STORE_UNAVAILABLE')
    expect((await app.get('/livez')).statusCode).toBe(200)
    down(undefined)
    expect((await app.get('/readyz')).statusCode).toBe(200)
    await expectAlive(app)
  })
})

describe('access', () => {
  const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex')
  const access = (): Authenticate =>
    tokenAccess([
      { name: 'reader', sha256: sha256('r'), collections: { [things]: ['read'] } },
      { name: 'writer', sha256: sha256('w'), collections: { [things]: ['write'] } },
      { name: 'cleaner', sha256: sha256('d'), collections: { '*': ['delete'] } },
      { name: 'stranger', sha256: sha256('s'), collections: { others: ['read', 'write', 'delete'] } },
    ])
  const as = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })
  const remove = (app: TestApp, headers: Record<string, string>): Promise<LightMyRequestResponse> =>
    app.app.inject({ method: 'DELETE', url: `${path()}/j1-${'0'.repeat(64)}`, headers })
  const define = (app: TestApp, headers: Record<string, string>): Promise<LightMyRequestResponse> =>
    app.app.inject({
      method: 'PUT',
      url: `/v1/collections/${things}`,
      payload: '{"kind":"json"}',
      headers: { 'content-type': 'application/json', ...headers },
    })

  test.each([{}, as('unknown'), { authorization: 'Basic cjpy' }, { authorization: 'Bearer' }, as('r x')])(
    '%j has no access',
    async (headers) => {
      const app = await openApp({ authenticate: access() })
      const answers = [
        await app.post(path(), '1', headers),
        await app.post(path(), '1\n', { ...NDJSON, ...headers }),
        await app.post(path('batch'), '[1]', headers),
        await app.get(path(), headers),
        await remove(app, headers),
        await define(app, headers),
      ]
      for (const answer of answers) {
        expectProblem(answer, 'TOKEN_MISSING')
        expect(answer.headers['www-authenticate']).toContain('Bearer')
      }
      expect(await app.stored(things)).toEqual([])
    },
  )

  test.each([
    ['r', { read: true, write: false, delete: false }],
    ['w', { read: false, write: true, delete: false }],
    ['d', { read: false, write: false, delete: true }],
    ['s', { read: false, write: false, delete: false }],
  ])('token %j has exactly the rights that it was given: %j', async (token, may) => {
    const app = await openApp({ authenticate: access() })
    const answers = {
      read: [await app.get(path(), as(token)), await app.get(path(), { accept: 'application/x-ndjson', ...as(token) })],
      write: [
        await define(app, as(token)),
        await app.post(path(), '1', as(token)),
        await app.post(path('batch'), '[1]', as(token)),
        await app.post(path(), '1\n', { ...NDJSON, ...as(token) }),
      ],
      delete: [await remove(app, as(token))],
    }
    for (const right of ['read', 'write', 'delete'] as const) {
      for (const answer of answers[right]) {
        if (may[right]) expect([200, 201, 404]).toContain(answer.statusCode)
        else expectProblem(answer, 'TOKEN_REFUSED')
      }
    }
    expect(await app.stored(things)).toEqual(may.write ? ['1'] : [])
  })

  test('a token never appears in a response or in the log', async () => {
    const app = await openApp({ authenticate: access() })
    const answer = await app.post(path(), '1', as('very-secret-token'))
    expect(answer.body).not.toContain('very-secret')
    expect(JSON.stringify(app.log)).not.toContain('very-secret')
  })
})

test.each([
  ['not HTTP at all', 'hello\r\n\r\n', 'REQUEST_INVALID'],
  ['a head without an end', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(100_000)}`, 'HEADERS_TOO_LARGE'],
  ['an invalid length', `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n`, 'REQUEST_INVALID'],
  ['a method unknown to HTTP', 'FROBNICATE / HTTP/1.1\r\nhost: x\r\n\r\n', 'REQUEST_INVALID'],
  [
    'a second length',
    `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n12`,
    'REQUEST_INVALID',
  ],
] as const)('responds to %s with one problem body', async (_what, text, code) => {
  const app = await openApp()
  const socket = connect(Number(new URL(await app.listen()).port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(text)
  let answer = ''
  for await (const part of socket.setEncoding('utf8') as AsyncIterable<string>) answer += part
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  const { status } = ERRORS[code]
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} [A-Z][^\r]*\r\ncontent-type: application/problem\\+json`))
  expect(JSON.parse(body)).toMatchObject({ code, status })
  await expectAlive(app)
})

test.each([
  ['a request without a Host field', 'GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
  ['a request with HTTP/1.0', 'GET /livez HTTP/1.0\r\n\r\n', 200],
  ['an unknown expectation', 'GET /livez HTTP/1.1\r\nhost: x\r\nexpect: luck\r\nconnection: close\r\n\r\n', 200],
])('responds to %s itself', async (_what, text, status) => {
  const app = await openApp()
  const socket = connect(Number(new URL(await app.listen()).port), '127.0.0.1')
  socket.write(text)
  let answer = ''
  for await (const part of socket.setEncoding('utf8') as AsyncIterable<string>) answer += part
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  expect(head).toContain(`HTTP/1.1 ${status} `)
  if (status === 200) expect(body).toBe('ok\n')
  else expect(JSON.parse(body)).toMatchObject({ code: 'REQUEST_INVALID' })
})

test.each([
  ['an unsupported transfer encoding', 'POST', 'transfer-encoding: gzip, chunked', 415],
  [
    'an export whose request has an endless body',
    'GET',
    'transfer-encoding: chunked\r\naccept: application/x-ndjson',
    200,
  ],
])('%s closes its connection', async (_what, method, fields, status) => {
  const app = await openApp()
  // the exported collection must exist
  await sqlite.define(things, { kind: 'json' })
  const socket = connect(Number(new URL(await app.listen()).port), '127.0.0.1')
  socket.write(
    `${method} ${path()} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${fields}\r\n\r\n1\r\n1\r\n`,
  )
  let answer = ''
  for await (const part of socket.setEncoding('utf8') as AsyncIterable<string>) answer += part
  expect(answer).toContain(`HTTP/1.1 ${status} `)
  await expectAlive(app)
})

test('malformed chunks end a stream without a false line in its response', async () => {
  const app = await openApp()
  const socket = connect(Number(new URL(await app.listen()).port), '127.0.0.1')
  socket.on('error', () => {})
  const head = `POST ${path()} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n`
  socket.write(`${head}2\r\n1\n\r\n`)
  let answer = ''
  for await (const part of socket.setEncoding('utf8') as AsyncIterable<string>) {
    answer += part
    if (answer.includes('"line":1')) socket.write('no chunk\r\n')
  }
  expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1)
  expect(answer).not.toContain('summary')
  await expectAlive(app, ['1'])
})

test.each([
  ['GET', '/nowhere', 'NOT_FOUND'],
  ['GET', '/v1/collections/things/itemz', 'NOT_FOUND'],
  ['GET', '/v1/collections//items', 'COLLECTION_NAME_INVALID'],
  ['GET', '/v1/collections/things/items/%zz', 'REQUEST_INVALID'],
  ['GET', `/${'x'.repeat(600)}`, 'NOT_FOUND'],
  ['GET', `/v1/collections/${'x'.repeat(600)}`, 'COLLECTION_NAME_INVALID'],
  ['GET', `/v1/collections/things/items/${'x'.repeat(600)}`, 'ITEM_NOT_FOUND'],
] as const)('%s %s is not found', async (method, url, code) => {
  const app = await openApp()
  const answer = await app.app.inject({ method, url })
  expectProblem(answer, code)
  expect(answer.body.length).toBeLessThan(1_000)
  expect(app.log.filter((line) => line.level === 'error')).toEqual([])
  await expectAlive(app)
})

test.each([
  ['PATCH', '/v1/collections/things/items', 'GET, HEAD, POST'],
  ['OPTIONS', '/v1/collections/things/items:batch', 'POST'],
  ['QUERY', '/v1/collections/things/items', 'GET, HEAD, POST'],
  ['PROPFIND', '/v1/collections/things', 'PUT, GET, HEAD, DELETE'],
  ['POST', `/v1/collections/things/items/j1-0`, 'GET, HEAD, DELETE'],
  ['DELETE', '/livez', 'GET, HEAD'],
  ['TRACE', '/openapi.json?x=1', 'GET, HEAD'],
])('responds to %s of %s with 405 and the allowed methods, with and without a body', async (method, url, allow) => {
  const app = await openApp()
  const origin = await app.listen()
  for (const type of [undefined, {}, { 'content-type': 'application/json' }]) {
    const sending = type === undefined ? {} : { body: '1', headers: { 'content-length': '1', ...type } }
    const answer = await ask(origin + url, { method, ...sending })
    expect([answer.status, answer.headers.allow, jsonOf(answer)]).toMatchObject([
      405,
      allow,
      { code: 'METHOD_NOT_ALLOWED' },
    ])
  }
  expect(app.log.filter((line) => line.level === 'error')).toEqual([])
  await expectAlive(app)
})

test.each(['items', 'batch'] as const)('refuses POST to %s without a body and a media type', async (kind) => {
  const app = await openApp()
  const answer = await app.app.inject({ method: 'POST', url: path(kind) })
  expect(expectProblem(answer, 'MEDIA_TYPE_UNSUPPORTED')['detail']).toContain('neither a body nor a Content-Type')
  await expectAlive(app)
})

test.each([
  ['?limit=0', 'REQUEST_INVALID'],
  ['?limit=1001', 'REQUEST_INVALID'],
  ['?limit=x', 'REQUEST_INVALID'],
  ['?after=x', 'REQUEST_INVALID'],
  ['?colour=red', 'REQUEST_INVALID'],
] as const)('refuses a list with %s', async (query, code) => {
  const app = await openApp()
  expectProblem(await app.get(`${path()}${query}`), code)
})
