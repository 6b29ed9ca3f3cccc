/** Single items and batches: saved, read back, listed, deleted. Collections and their policies. */
import { setImmediate } from 'node:timers/promises'
import type { LightMyRequestResponse } from 'fastify'
import { describe, expect, test } from 'vitest'
import { createMemoryStore } from '../items/stores/memory/store.ts'
import { systemClock } from '../std/clock.ts'
import { answerLines, openTestApp, overStore, type TestApp } from '../testing/app.ts'

const ITEMS = '/v1/collections/things/items'
const BATCH = `${ITEMS}:batch`
const BYTES = { 'content-type': 'application/octet-stream' }

interface Item {
  readonly id: string
  readonly status: string
  readonly firstSeen: string
  readonly foundBy?: string
}

const itemOf = (answer: LightMyRequestResponse): Item => answer.json()

function define(app: TestApp, policy: object, collection = 'things'): Promise<LightMyRequestResponse> {
  const headers = { 'content-type': 'application/json' }
  return app.app.inject({
    method: 'PUT',
    url: `/v1/collections/${collection}`,
    payload: JSON.stringify(policy),
    headers,
  })
}

const remove = (app: TestApp, id: string): Promise<LightMyRequestResponse> =>
  app.app.inject({ method: 'DELETE', url: `${ITEMS}/${id}` })

describe('one item', () => {
  test('is created once, and is a duplicate from then on', async () => {
    const app = await openTestApp()
    const created = await app.post(ITEMS, '{"a":1}')
    const { id, firstSeen } = itemOf(created)
    expect(created.statusCode).toBe(201)
    expect(created.headers.location).toBe(`${ITEMS}/${id}`)
    expect(itemOf(created)).toEqual({ id, status: 'created', firstSeen })
    expect(Math.abs(Date.parse(firstSeen) - Date.now())).toBeLessThan(60_000)
    const again = await app.post(ITEMS, ' {"a": 1.0e0}\n')
    expect(again.statusCode).toBe(200)
    expect(again.headers.location).toBeUndefined()
    expect(itemOf(again)).toEqual({ id, status: 'duplicate', firstSeen, foundBy: 'memory' })
    expect(await app.stored('things')).toEqual(['{"a":1}'])
  })

  test('is found by the store when the process no longer has its id', async () => {
    const app = await openTestApp({ recentItems: 0 })
    await app.post(ITEMS, '1')
    expect(itemOf(await app.post(ITEMS, '1'))).toMatchObject({ status: 'duplicate', foundBy: 'store' })
  })

  test('is found in flight while another request saves it', async () => {
    const inner = createMemoryStore()
    const gate = Promise.withResolvers<void>()
    const arrived = Promise.withResolvers<void>()
    const store = overStore(inner, {
      async put(units, nowMs) {
        arrived.resolve()
        await gate.promise
        return inner.put(units, nowMs)
      },
    })
    const app = await openTestApp({ store })
    const first = app.post(ITEMS, '1')
    await arrived.promise
    const second = app.post(ITEMS, '1')
    // lets the second request start before the first one may be saved
    for (let turn = 0; turn < 20; turn++) await setImmediate()
    gate.resolve()
    const { firstSeen } = itemOf(await first)
    expect(itemOf(await second)).toMatchObject({ status: 'duplicate', foundBy: 'inflight', firstSeen })
    expect((await first).statusCode).toBe(201)
  })

  test('is different content in another collection', async () => {
    const app = await openTestApp()
    expect((await app.post(ITEMS, '1')).statusCode).toBe(201)
    expect((await app.post('/v1/collections/others/items', '1')).statusCode).toBe(201)
  })

  test('is returned unchanged, with its media type', async () => {
    const app = await openTestApp()
    const text = '{ "b" : 1.50,\t"a":"\\u00e4" }'
    const { id } = itemOf(await app.post(ITEMS, text))
    const answer = await app.get(`${ITEMS}/${id}`)
    expect(answer.statusCode).toBe(200)
    expect(answer.body).toBe(text)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      etag: `"${id}"`,
      'x-content-type-options': 'nosniff',
    })
  })

  test('may be bytes, which are different content from the JSON that they spell', async () => {
    const app = await openTestApp()
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
    const { id } = itemOf(await app.post(ITEMS, bytes, BYTES))
    const answer = await app.get(`${ITEMS}/${id}`)
    expect(answer.rawPayload).toEqual(Buffer.from(bytes))
    expect(answer.headers['content-type']).toBe('application/octet-stream')
    expect((await app.post(ITEMS, bytes, BYTES)).statusCode).toBe(200)
    expect(itemOf(await app.post(ITEMS, '1', BYTES)).id).not.toBe(itemOf(await app.post(ITEMS, '1')).id)
  })

  test('may be empty bytes', async () => {
    const app = await openTestApp()
    const { id } = itemOf(await app.post(ITEMS, '', BYTES))
    expect((await app.get(`${ITEMS}/${id}`)).rawPayload).toHaveLength(0)
  })

  test.each(['nonsense', `j1-${'0'.repeat(64)}`, `j1-${'A'.repeat(64)}`, `j9-${'0'.repeat(64)}`])(
    'is not found under %j',
    async (id) => {
      const app = await openTestApp()
      for (const answer of [await app.get(`${ITEMS}/${id}`), await remove(app, id)]) {
        expect(answer.statusCode).toBe(404)
        expect(answer.json()).toMatchObject({ code: 'ITEM_NOT_FOUND' })
      }
    },
  )

  test('is permanently gone when deleted; the same content is then created again', async () => {
    const app = await openTestApp()
    const { id } = itemOf(await app.post(ITEMS, '1'))
    const gone = await remove(app, id)
    expect([gone.statusCode, gone.body]).toEqual([204, ''])
    expect((await app.get(`${ITEMS}/${id}`)).statusCode).toBe(404)
    expect((await remove(app, id)).statusCode).toBe(404)
    expect(await app.stored('things')).toEqual([])
    expect((await app.post(ITEMS, '1')).statusCode).toBe(201)
    expect((await app.get(`${ITEMS}/${id}`)).statusCode).toBe(200)
  })
})

describe('a batch', () => {
  test('returns a result for each item in order', async () => {
    const app = await openTestApp()
    await app.post(ITEMS, '"known"')
    const answer = await app.post(BATCH, ' [ "new" , "known" , "new", 9007199254740993, {"a":[1,2]} ] ')
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({
      errors: true,
      counts: { created: 2, duplicate: 2, failed: 1 },
      items: [
        { index: 0, status: 'created' },
        { index: 1, status: 'duplicate', foundBy: 'memory' },
        { index: 2, status: 'duplicate', foundBy: 'batch' },
        { index: 3, status: 'failed', error: { code: 'NUMBER_PRECISION' } },
        { index: 4, status: 'created' },
      ],
    })
    expect(await app.stored('things')).toEqual(['"known"', '"new"', '{"a":[1,2]}'])
  })

  test('may be empty', async () => {
    const app = await openTestApp()
    expect((await app.post(BATCH, '[]')).json()).toEqual({
      errors: false,
      counts: { created: 0, duplicate: 0, failed: 0 },
      items: [],
    })
  })

  test('counts the first of two equal items as created', async () => {
    const app = await openTestApp({ recentItems: 0 })
    const { items } = (await app.post(BATCH, '[1,1.0,1e0]')).json<{ items: Item[] }>()
    expect(items.map((item) => item.foundBy)).toEqual([undefined, 'batch', 'batch'])
    expect(new Set(items.map((item) => item.id + item.firstSeen)).size).toBe(1)
  })
})

describe('a list', () => {
  const numbers = Array.from({ length: 25 }, (_, index) => index)

  async function filled(): Promise<TestApp> {
    const app = await openTestApp()
    await app.post(BATCH, JSON.stringify(numbers))
    return app
  }

  test('returns pages in order of creation, each item once', async () => {
    const app = await filled()
    const seen: unknown[] = []
    const sizes: number[] = []
    let query = '?limit=10'
    for (;;) {
      const page = (await app.get(`${ITEMS}${query}`)).json<{ items: { content: unknown }[]; next?: string }>()
      seen.push(...page.items.map((item) => item.content))
      sizes.push(page.items.length)
      if (page.next === undefined) break
      query = `?limit=10&after=${page.next}`
    }
    expect(seen).toEqual(numbers)
    expect(sizes).toEqual([10, 10, 5])
  })

  test('has 100 items per page by default', async () => {
    const app = await openTestApp({ http: { maxBatchItems: 1_000 } })
    await app.post(BATCH, JSON.stringify(Array.from({ length: 150 }, (_, index) => index)))
    expect((await app.get(ITEMS)).json<{ items: unknown[] }>().items).toHaveLength(100)
    expect((await app.get(`${ITEMS}?limit=1000`)).json<{ items: unknown[]; next?: string }>()).toMatchObject({
      items: { length: 150 },
    })
  })

  test.each(['5000', '0', '1e2', ''])('refuses a limit of %j and explains what to send', async (limit) => {
    const app = await openTestApp()
    const answer = await app.get(`${ITEMS}?limit=${limit}`)
    expect(answer.statusCode).toBe(400)
    expect(answer.json<{ detail: string }>().detail).toContain('limit takes a whole number from 1 to 1000; the cursor')
  })

  test('counts the items of an export in its trailer, and refuses to export an unknown collection', async () => {
    const app = await openTestApp()
    const accept = { accept: 'application/x-ndjson' }
    const missing = await app.get(ITEMS, accept)
    expect([missing.statusCode, missing.json<{ code: string }>().code]).toEqual([404, 'NOT_FOUND'])
    await define(app, { kind: 'json' })
    const empty = await app.get(ITEMS, accept)
    expect([empty.statusCode, empty.body, empty.trailers]).toEqual([200, '', { 'ingot-items': '0' }])
    await app.post(BATCH, '[1,2,3]')
    expect((await app.get(ITEMS, accept)).trailers).toEqual({ 'ingot-items': '3' })
  })

  test('is empty for an unknown collection', async () => {
    const app = await openTestApp()
    expect((await app.get(ITEMS)).json()).toEqual({ items: [] })
  })

  test('exports everything as NDJSON on request, starting at a cursor if one is given', async () => {
    const app = await openTestApp({ http: { maxBatchItems: 2_000 } })
    const many = Array.from({ length: 1_234 }, (_, index) => index)
    await app.post(BATCH, JSON.stringify(many))
    const accept = { accept: 'application/x-ndjson' }
    const answer = await app.get(ITEMS, accept)
    expect(answer.headers['content-type']).toBe('application/x-ndjson')
    expect(answerLines(answer.body).map((line) => line['content'])).toEqual(many)
    const { next } = (await app.get(`${ITEMS}?limit=1000`)).json<{ next: string }>()
    expect(answerLines((await app.get(`${ITEMS}?after=${next}`, accept)).body)).toHaveLength(234)
  })

  test('reads at most one row for HEAD of an export', async () => {
    const limits: number[] = []
    const inner = createMemoryStore()
    const store = overStore(inner, {
      list(collection, page) {
        limits.push(page.limit)
        return inner.list(collection, page)
      },
    })
    const app = await openTestApp({ store })
    await app.post(BATCH, '[1,2,3]')
    const headers = { accept: 'application/x-ndjson' }
    const answer = await app.app.inject({ method: 'HEAD', url: ITEMS, headers })
    expect([answer.statusCode, answer.headers['content-type'], answer.body]).toEqual([200, 'application/x-ndjson', ''])
    expect(limits).toEqual([1])
  })

  test.each([
    ['an unknown collection', ITEMS, 404],
    ['an invalid cursor', `${ITEMS}?after=x`, 400],
  ])('has the same status for HEAD of an export as for GET: %s', async (_what, url, status) => {
    const app = await openTestApp()
    const headers = { accept: 'application/x-ndjson' }
    const [get, head] = [await app.get(url, headers), await app.app.inject({ method: 'HEAD', url, headers })]
    expect([get.statusCode, head.statusCode, head.body]).toEqual([status, status, ''])
    expect(head.headers['content-type']).toBe(get.headers['content-type'])
  })

  test('returns JSON items as JSON on one line, and other items in base64', async () => {
    const app = await openTestApp()
    const json = itemOf(await app.post(ITEMS, '{\r\n"a": 1\n}'))
    const bytes = itemOf(await app.post(ITEMS, Uint8Array.of(0, 255, 10), BYTES))
    const expected = [
      { id: json.id, media: 'application/json', firstSeen: json.firstSeen, content: { a: 1 } },
      { id: bytes.id, media: 'application/octet-stream', firstSeen: bytes.firstSeen, base64: 'AP8K' },
    ]
    expect((await app.get(ITEMS)).json()).toEqual({ items: expected })
    expect(answerLines((await app.get(ITEMS, { accept: 'application/x-ndjson' })).body)).toEqual(expected)
  })
})

describe('a collection', () => {
  test('has the policy that it was given, until it holds items', async () => {
    const app = await openTestApp()
    expect((await app.get('/v1/collections/things')).statusCode).toBe(404)
    expect((await define(app, { kind: 'bytes' })).statusCode).toBe(201)
    const policy = { kind: 'fields', include: ['/id'] }
    expect((await define(app, policy)).statusCode).toBe(201)
    expect((await define(app, policy)).statusCode).toBe(200)
    expect((await app.get('/v1/collections/things')).json()).toEqual({ collection: 'things', policy })
    await app.post(ITEMS, '{"id":1}')
    const late = await define(app, { kind: 'json' })
    expect(late.statusCode).toBe(409)
    expect(late.json()).toMatchObject({ code: 'POLICY_IMMUTABLE' })
    expect((await define(app, policy)).statusCode).toBe(200)
    expect((await app.get('/v1/collections/things')).json()).toEqual({ collection: 'things', policy })
  })

  test('may get another policy after its last item was deleted', async () => {
    const app = await openTestApp()
    const { id } = itemOf(await app.post(ITEMS, '1'))
    expect((await define(app, { kind: 'bytes' })).statusCode).toBe(409)
    await remove(app, id)
    expect((await define(app, { kind: 'bytes' })).statusCode).toBe(201)
    expect((await app.post(ITEMS, '1')).statusCode).toBe(201)
    expect((await app.post(ITEMS, '1 ')).statusCode).toBe(201)
  })

  test('with included fields treats items with equal fields as the same, and keeps the first', async () => {
    const app = await openTestApp()
    await define(app, { kind: 'fields', include: ['/id', '/at/day'] })
    expect((await app.post(ITEMS, '{"id":1,"at":{"day":2,"hour":3},"n":"first"}')).statusCode).toBe(201)
    expect((await app.post(ITEMS, '{"n":"second","at":{"day":2.0},"id":1}')).statusCode).toBe(200)
    expect((await app.post(ITEMS, '{"id":1,"at":{"day":3}}')).statusCode).toBe(201)
    expect(await app.stored('things')).toEqual([
      '{"id":1,"at":{"day":2,"hour":3},"n":"first"}',
      '{"id":1,"at":{"day":3}}',
    ])
  })

  test('with excluded fields ignores these', async () => {
    const app = await openTestApp()
    await define(app, { kind: 'fields', exclude: ['/sentAt'] })
    expect((await app.post(ITEMS, '{"id":1,"sentAt":"noon"}')).statusCode).toBe(201)
    expect((await app.post(ITEMS, '{"id":1,"sentAt":"later"}')).statusCode).toBe(200)
    expect((await app.post(ITEMS, '{"id":1,"more":true}')).statusCode).toBe(201)
  })

  test('of bytes treats different spellings as different', async () => {
    const app = await openTestApp()
    await define(app, { kind: 'bytes' })
    expect((await app.post(ITEMS, '{"a":1}')).statusCode).toBe(201)
    expect((await app.post(ITEMS, '{"a": 1}')).statusCode).toBe(201)
    expect((await app.post(ITEMS, '{"a":1}')).statusCode).toBe(200)
  })
})

describe('an Idempotency-Key', () => {
  const key = { 'idempotency-key': 'k' }

  test.each([
    ['an item', ITEMS, '{"a":1}', 201],
    ['a batch', BATCH, '[1,1,9007199254740993]', 200],
  ])('gets the identical response for %s again', async (_what, path, body, status) => {
    const app = await openTestApp()
    const first = await app.post(path, body, key)
    expect(first.statusCode).toBe(status)
    expect(first.headers['idempotency-replayed']).toBeUndefined()
    const again = await app.post(path, body, key)
    expect(again.headers['idempotency-replayed']).toBe('true')
    expect([again.statusCode, again.body, again.headers.location]).toEqual([
      first.statusCode,
      first.body,
      first.headers.location,
    ])
  })

  test('gets it even if the item was deleted since, because the response reports what the first request did', async () => {
    const app = await openTestApp()
    const first = await app.post(ITEMS, '1', key)
    const item = String(first.headers.location)
    expect((await app.app.inject({ method: 'DELETE', url: item })).statusCode).toBe(204)
    const again = await app.post(ITEMS, '1', key)
    expect([again.statusCode, again.body, again.headers['idempotency-replayed']]).toEqual([201, first.body, 'true'])
    // nothing was stored again: only a request with another key, or without one, stores again
    expect((await app.get(item)).statusCode).toBe(404)
    expect((await app.post(ITEMS, '1')).statusCode).toBe(201)
    expect((await app.get(item)).statusCode).toBe(200)
  })

  test('gets it even if another request created the item first', async () => {
    const app = await openTestApp()
    await app.post(ITEMS, '1')
    expect(itemOf(await app.post(ITEMS, '1', key))).toMatchObject({ status: 'duplicate' })
    expect((await app.post(ITEMS, '1', key)).headers['idempotency-replayed']).toBe('true')
  })

  test('is used once when many requests send it at the same time', async () => {
    const app = await openTestApp()
    const answers = await Promise.all(Array.from({ length: 10 }, () => app.post(ITEMS, '1', key)))
    expect(new Set(answers.map((answer) => answer.body)).size).toBe(1)
    expect(answers.filter((answer) => answer.headers['idempotency-replayed'] === undefined)).toHaveLength(1)
  })

  test('is free again after its time to live', async () => {
    let ahead = 0
    const clock = { ...systemClock, wallMs: () => systemClock.wallMs() + ahead }
    const app = await openTestApp({ clock, http: { idempotencyTtlMs: 60_000 } })
    await app.post(ITEMS, '1', key)
    ahead = 59_000
    expect((await app.post(ITEMS, '1', key)).headers['idempotency-replayed']).toBe('true')
    expect((await app.post(ITEMS, '2', key)).statusCode).toBe(422)
    ahead = 61_000
    const late = await app.post(ITEMS, '2', key)
    expect([late.statusCode, late.headers['idempotency-replayed']]).toEqual([201, undefined])
  })
})
