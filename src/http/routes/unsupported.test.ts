/** Requests that the store of an external API cannot serve: each is refused with 501 and a reason. */
import { expect, test } from 'vitest'
import { DEFAULT_POLICY } from '../../identity/policy.ts'
import { item } from '../../items/contract.ts'
import type { ExternalStore } from '../../items/exclusion/external-store.ts'
import { createLockedStore } from '../../items/exclusion/locked-store.ts'
import { createMemoryBackend } from '../../lock/backends/memory/backend.ts'
import { createLocker } from '../../lock/locker.ts'
import { systemClock } from '../../std/clock.ts'
import { openTestApp } from '../../testing/app.ts'

function openExternal(changes: Partial<ExternalStore> = {}) {
  const plain: ExternalStore = {
    fences: false,
    find: async () => ({ kind: 'absent' }),
    save: async () => ({ kind: 'saved', firstSeenMs: 1 }),
    check: async () => {},
    [Symbol.asyncDispose]: async () => {},
    ...changes,
  }
  const clock = systemClock
  const locker = createLocker(createMemoryBackend({ clock }), { ttlMs: 1_000, clock })
  const options = { policies: new Map(), waitMs: 1_000, defaultPolicy: DEFAULT_POLICY }
  return openTestApp({ store: createLockedStore({ external: plain, locker, clock }, options) })
}

const unsupported = (detail: string) => ({ statusCode: 501, code: 'UNSUPPORTED', detail })

function problem(response: { readonly statusCode: number; json(): unknown }) {
  const { code, detail } = response.json() as { code: string; detail: string }
  return { statusCode: response.statusCode, code, detail }
}

const ITEMS = '/v1/collections/things/items'
const ITEM = `${ITEMS}/${item(1).id}`

const CANNOT_DELETE = 'this store cannot list its items, so it cannot delete a collection'

test.each([
  ['a list', 'GET', ITEMS, {}, 'this store cannot list its items'],
  ['an export', 'GET', ITEMS, { accept: 'application/x-ndjson' }, 'this store cannot list its items'],
  ['a deletion', 'DELETE', ITEM, {}, 'this store cannot delete items'],
  ['the deletion of a collection', 'DELETE', '/v1/collections/things', {}, CANNOT_DELETE],
  ['the progress of a deletion', 'GET', '/v1/collections/things/deletions/1', {}, CANNOT_DELETE],
  ['an item, without "get" in the mapping', 'GET', ITEM, {}, 'the mapping of this store has no "get"'],
] as const)('refuses %s', async (...[, method, url, headers, detail]) => {
  const { app } = await openExternal()
  expect(problem(await app.inject({ method, url, headers }))).toEqual(unsupported(detail))
})

test('returns an item if the store can', async () => {
  const content = Buffer.from('1')
  const app = await openExternal({ get: async (_, id) => ({ id, media: 'application/json', content }) })
  expect((await app.get(ITEM)).body).toBe('1')
})

test('refuses another policy, and accepts the one that the configuration sets', async () => {
  const { app } = await openExternal()
  const define = (payload: string) =>
    app.inject({
      method: 'PUT',
      url: '/v1/collections/things',
      headers: { 'content-type': 'application/json' },
      payload,
    })
  const detail = 'policies of this store are set in the configuration of the service'
  expect(problem(await define('{"kind":"bytes"}'))).toEqual(unsupported(detail))
  expect((await define(JSON.stringify(DEFAULT_POLICY))).statusCode).toBe(200)
})

test('refuses an Idempotency-Key, and saves nothing', async () => {
  let saves = 0
  const app = await openExternal({ save: async () => ({ kind: 'saved', firstSeenMs: ++saves }) })
  const detail = 'this store cannot store receipts under an Idempotency-Key; the content itself is the key'
  expect(problem(await app.post(ITEMS, '1', { 'idempotency-key': 'k' }))).toEqual(unsupported(detail))
  expect(saves).toBe(0)
  expect((await app.post(ITEMS, '1')).statusCode).toBe(201)
})
