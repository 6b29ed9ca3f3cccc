/** The contract suite for damage: every store refuses to return bytes that differ from the stored ones, on every read. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Collection, PreparedItem } from '../../items/item.ts'
import { prepare } from '../../items/prepare.ts'
import type { IdempotencyRequest, ItemStore } from '../../items/store.ts'
import { openTestApp, overStore } from '../app.ts'
import { type Absent, present } from '../present.ts'

export type ItemColumn = 'content' | 'media' | 'first_seen_ms' | 'checksum'
export type ReceiptColumn = 'body' | 'status' | 'fingerprint' | 'checksum'

/** A store, and direct access to its data. */
export interface DamageableStore {
  readonly store: ItemStore
  /** Flips one bit of a column of an item. */
  readonly damageItem: (collection: string, id: string, column: ItemColumn) => Promise<void>
  /** Flips one bit of a column of the only stored response. */
  readonly damageReceipt: (column: ReceiptColumn) => Promise<void>
}

export const JSON_COLLECTION: Collection = { name: 'things', policy: { kind: 'json' } }
const FIELDS_COLLECTION: Collection = { name: 'chosen', policy: { kind: 'fields', include: ['/a'] } }
const BYTES_COLLECTION: Collection = { name: 'blobs', policy: { kind: 'bytes' } }
const NOW = 1_700_000_000_000

export function damageItemOf({ policy }: Collection, text: string, media = 'application/json'): PreparedItem {
  const prepared = prepare(policy, { media, content: Buffer.from(text) }, { maxDepth: 64 })
  if ('refused' in prepared) throw prepared.refused
  return prepared
}

const CLAIM: IdempotencyRequest = {
  scope: 'tester',
  key: 'k',
  fingerprint: 'f',
  expiresAtMs: NOW + 1_000_000,
  form: { kind: 'single', slots: [{ kind: 'item', at: 0, repeat: false }] },
}

/** One item of each kind of identity. The spaces and the field `b` are not part of any id. */
const ITEMS: readonly (readonly [string, Collection, PreparedItem])[] = [
  ['a JSON item', JSON_COLLECTION, damageItemOf(JSON_COLLECTION, '{ "a" : 1 }')],
  ['an item by fields', FIELDS_COLLECTION, damageItemOf(FIELDS_COLLECTION, '{ "b": 7, "a": 1 }')],
  ['an item of bytes', BYTES_COLLECTION, damageItemOf(BYTES_COLLECTION, 'bytes', 'text/plain')],
]
const COLUMNS: readonly ItemColumn[] = ['content', 'media', 'first_seen_ms', 'checksum']
const CASES = ITEMS.flatMap(([title, collection, item]) =>
  COLUMNS.map((column) => ({ title, collection, item, column })),
)

export function damageContract(name: string, open: () => Promise<DamageableStore | Absent>): void {
  describe(`damage contract: ${name}`, () => {
    let opened: DamageableStore
    beforeEach(async ({ skip }) => {
      opened = present(await open(), skip)
    })
    afterEach(() => opened?.store[Symbol.asyncDispose]())

    const refused = { code: 'STORE_CORRUPT' }

    test.each(CASES)('refuses $title with a bit flipped in its $column', async ({ collection, item, column }) => {
      const { store, damageItem } = opened
      const others = ['1', '2', '3'].map((text) => damageItemOf(JSON_COLLECTION, text))
      await store.put([{ collection, items: [item] }], NOW)
      await store.put([{ collection: JSON_COLLECTION, items: others }], NOW + 1)
      expect(await store.get(collection.name, item.id)).toMatchObject({ media: item.media, firstSeenMs: NOW })
      await damageItem(collection.name, item.id, column)
      await expect(store.get(collection.name, item.id)).rejects.toMatchObject(refused)
      await expect(store.list(collection.name, { limit: 10 })).rejects.toMatchObject(refused)
      // undamaged items are still served
      const [sound] = others
      expect(await store.get(JSON_COLLECTION.name, sound?.id ?? '')).toMatchObject({ firstSeenMs: NOW + 1 })
      // a damaged item that is deleted and sent again is undamaged
      expect(await store.delete(collection.name, item.id)).toBe(true)
      await store.put([{ collection, items: [item] }], NOW + 2)
      expect(await store.get(collection.name, item.id)).toMatchObject({ firstSeenMs: NOW + 2 })
      expect((await store.list(collection.name, { limit: 10 })).items.at(-1)?.id).toBe(item.id)
    })

    test.each(['body', 'status', 'fingerprint', 'checksum'] as const)(
      'does not replay an answer with a bit flipped in its %s',
      async (column) => {
        const { store, damageReceipt } = opened
        const item = damageItemOf(JSON_COLLECTION, '"keyed"')
        const other = damageItemOf(JSON_COLLECTION, '"other"')
        await store.put([{ collection: JSON_COLLECTION, items: [item], idempotency: CLAIM }], NOW)
        await damageReceipt(column)
        const outcomes = await store.put(
          [
            { collection: JSON_COLLECTION, items: [item], idempotency: CLAIM },
            { collection: JSON_COLLECTION, items: [other] },
          ],
          NOW + 1,
        )
        // it does not affect another unit in the same batch
        expect(outcomes).toMatchObject([{ kind: 'receipt-damaged' }, { kind: 'stored' }])
      },
    )

    test('returns 500 for it, and aborts an export', async () => {
      const { store, damageItem } = opened
      const many = Array.from({ length: 1_200 }, (_, n) => damageItemOf(JSON_COLLECTION, `[${n}]`))
      await store.put([{ collection: JSON_COLLECTION, items: many }], NOW)
      const late = many[1_100]?.id ?? ''
      const app = await openTestApp({ store: overStore(store, { [Symbol.asyncDispose]: async () => {} }) })
      const url = `${await app.listen()}/v1/collections/things/items`
      const exported = async () => {
        const response = await fetch(url, { headers: { accept: 'application/x-ndjson' } })
        return { status: response.status, text: await response.text() }
      }
      expect((await exported()).text.trimEnd().split('\n')).toHaveLength(1_200)

      await damageItem('things', late, 'content')
      const problem = await app.get(`/v1/collections/things/items/${late}`)
      expect(problem.statusCode).toBe(500)
      expect(problem.headers['content-type']).toContain('application/problem+json')
      expect(problem.headers['etag']).toBeUndefined()
      expect(problem.json()).toMatchObject({ code: 'STORE_CORRUPT' })
      expect((await app.get('/v1/collections/things/items?limit=1000')).statusCode).toBe(200)
      await expect(exported()).rejects.toThrow('terminated')

      await damageItem('things', many[0]?.id ?? '', 'first_seen_ms')
      expect(await exported()).toMatchObject({ status: 500 })
      expect((await app.get('/v1/collections/things/items')).json()).toMatchObject({ code: 'STORE_CORRUPT' })
    })
  })
}

/** Returns the value of a column with one bit flipped, or another value for null. */
export function flipped(value: unknown): string | number | Uint8Array {
  if (value instanceof Uint8Array) return value.map((byte, at) => (at === 1 ? byte ^ 1 : byte))
  if (typeof value === 'string') return value.slice(0, -1) + String.fromCharCode(value.charCodeAt(value.length - 1) ^ 1)
  if (typeof value === 'number') return value % 2 === 0 ? value + 1 : value - 1
  return 'text/plain'
}
