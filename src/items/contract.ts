/** The contract suite of stores. Every store passes it, or skips a test with a reason. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { formatContentId, identify, identityKind } from '../identity/content-id.ts'
import { DEFAULT_POLICY, type IdentityPolicy } from '../identity/policy.ts'
import { deletionContract } from '../testing/deletion/contract.ts'
import { type Absent, present } from '../testing/present.ts'
import type { Collection, PreparedItem } from './item.ts'
import type { IdempotencyRequest, ItemStore, Unit } from './store.ts'
import { sameTimeline } from './store-version.ts'

export interface Skip {
  readonly test: string
  readonly reason: string
}

const JSON_COLLECTION: Collection = { name: 'things', policy: DEFAULT_POLICY }
const NOW = 1_700_000_000_000

export function item(value: unknown, policy: IdentityPolicy = DEFAULT_POLICY): PreparedItem {
  const content = Buffer.from(JSON.stringify(value))
  const id = formatContentId(identityKind(policy, 'json'), identify(policy, 'json', content, { maxDepth: 64 }))
  return { id, media: 'application/json', content }
}

function unit(values: readonly unknown[], collection: Collection = JSON_COLLECTION): Unit {
  return { collection, items: values.map((value) => item(value, collection.policy)) }
}

function keyRequest(key: string, fingerprint = 'f', expiresAtMs = NOW + 1_000): IdempotencyRequest {
  const slots = [{ kind: 'item', at: 0, repeat: false }] as const
  return { scope: 'tester', key, fingerprint, expiresAtMs, form: { kind: 'single', slots } }
}

/** `open` opens an empty store, or throws the reason why this store is not available here. */
export function storeContract(
  name: string,
  open: () => Promise<ItemStore | Absent>,
  skips: readonly Skip[] = [],
): void {
  describe(`store contract: ${name}`, () => {
    const titles = new Set<string>()
    let store: ItemStore
    beforeEach(async ({ skip }) => {
      store = present(await open(), skip)
    })
    afterEach(() => store?.[Symbol.asyncDispose]())

    const it = (title: string, body: () => Promise<void>): void => {
      titles.add(title)
      test(title, async ({ skip }) => {
        const why = skips.find((one) => one.test === title)?.reason
        if (why !== undefined) skip(why)
        await body()
      })
    }
    const putOne = async (one: Unit, nowMs = NOW) => (await store.put([one], nowMs))[0]

    it('creates new items and recognises duplicates', async () => {
      expect(await putOne(unit([1]))).toEqual({ kind: 'stored', outcomes: [{ kind: 'created', firstSeenMs: NOW }] })
      expect(await putOne(unit([1, 2]), NOW + 5)).toEqual({
        kind: 'stored',
        outcomes: [
          { kind: 'duplicate', firstSeenMs: NOW, foundBy: 'store' },
          { kind: 'created', firstSeenMs: NOW + 5 },
        ],
      })
    })

    it('lists collections by name, with their policies and numbers of items', async () => {
      expect(await store.collections({ limit: 10 })).toEqual({ collections: [] })
      const bytes: Collection = { name: 'a-files', policy: { kind: 'bytes' } }
      await store.define('empty', { kind: 'bytes' })
      await store.put([unit([1, 2, 3]), unit([1], bytes)], NOW)
      await store.delete('things', item(2).id)
      const files = { ...bytes, estimatedItems: 1 }
      const empty = { name: 'empty', policy: { kind: 'bytes' }, estimatedItems: 0 }
      const things = { ...JSON_COLLECTION, estimatedItems: 2 }
      expect(await store.collections({ limit: 10 })).toEqual({ collections: [files, empty, things] })
      expect(await store.collections({ limit: 2 })).toEqual({ collections: [files, empty], next: 'empty' })
      expect(await store.collections({ limit: 2, after: 'empty' })).toEqual({ collections: [things] })
    })

    it('lists a deleted collection once, without its old items', async () => {
      await store.put([unit([1, 2])], NOW)
      await store.deleteCollection('things', NOW)
      await store.put([unit([3])], NOW)
      expect(await store.collections({ limit: 10 })).toEqual({
        collections: [{ ...JSON_COLLECTION, estimatedItems: 1 }],
      })
    })

    it('estimates the number of items of a large collection', async () => {
      await store.put([unit(Array.from({ length: 2_000 }, (_, at) => at))], NOW)
      const { collections } = await store.collections({ limit: 10 })
      expect(collections[0]?.estimatedItems).toBeGreaterThan(1_400)
      expect(collections[0]?.estimatedItems).toBeLessThan(2_600)
    })

    it('finds items that an earlier unit of the same call created', async () => {
      const [first, second] = await store.put([unit(['same']), unit(['same'])], NOW)
      expect(first).toMatchObject({ outcomes: [{ kind: 'created' }] })
      expect(second).toMatchObject({ outcomes: [{ kind: 'duplicate', firstSeenMs: NOW }] })
    })

    it('creates an item once, however many calls race', async () => {
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => putOne(unit(['race']))))
      const kinds = outcomes.map((one) => (one?.kind === 'stored' ? one.outcomes[0]?.kind : one?.kind))
      expect(kinds.filter((kind) => kind === 'created')).toHaveLength(1)
      expect(kinds.filter((kind) => kind === 'duplicate')).toHaveLength(19)
    })

    it('keeps collections separate', async () => {
      await putOne(unit([1]))
      expect(await putOne(unit([1], { name: 'others', policy: DEFAULT_POLICY }))).toMatchObject({
        outcomes: [{ kind: 'created' }],
      })
      expect((await store.list('others', { limit: 10 })).items).toHaveLength(1)
    })

    it('returns the content byte for byte, with its media type', async () => {
      const bytes = Uint8Array.from({ length: 300 }, (_, index) => index % 256)
      const digest = identify({ kind: 'bytes' }, 'bytes', bytes, { maxDepth: 64 })
      const one = { id: formatContentId('bytes', digest), media: 'application/octet-stream', content: bytes }
      await putOne({ collection: { name: 'blobs', policy: { kind: 'bytes' } }, items: [one] })
      const got = await store.get('blobs', one.id)
      expect(got).toMatchObject({ id: one.id, media: one.media, firstSeenMs: NOW })
      expect(Buffer.from(got?.content ?? [])).toEqual(Buffer.from(bytes))
    })

    it('stores empty content', async () => {
      const digest = identify({ kind: 'bytes' }, 'bytes', new Uint8Array(), { maxDepth: 64 })
      const one = { id: formatContentId('bytes', digest), media: 'application/octet-stream', content: new Uint8Array() }
      await putOne({ collection: { name: 'blobs', policy: { kind: 'bytes' } }, items: [one] })
      expect((await store.get('blobs', one.id))?.content).toHaveLength(0)
    })

    it('returns nothing for items and collections that do not exist', async () => {
      expect(await store.get('things', item('absent').id)).toBeUndefined()
      expect(await store.collection('nowhere')).toBeUndefined()
      expect(await store.list('nowhere', { limit: 10 })).toEqual({ items: [] })
      expect(await store.delete('nowhere', item('absent').id)).toBe(false)
    })

    it('lists items in order of creation, without gaps or repeats', async () => {
      const values = Array.from({ length: 25 }, (_, index) => index)
      for (const value of values) await putOne(unit([value]))
      const seen: unknown[] = []
      let after: string | undefined
      do {
        const page = await store.list('things', after === undefined ? { limit: 10 } : { limit: 10, after })
        seen.push(...page.items.map((one) => JSON.parse(Buffer.from(one.content).toString()) as unknown))
        after = page.next
      } while (after !== undefined)
      expect(seen).toEqual(values)
    })

    it('returns no further page when the last page is full', async () => {
      await putOne(unit([1, 2, 3]))
      expect((await store.list('things', { limit: 3 })).next).toBeUndefined()
    })

    it('skips no item when the last listed item was deleted before the next page', async () => {
      await putOne(unit([1, 2, 3]))
      const page = await store.list('things', { limit: 2 })
      await store.delete('things', item(3).id)
      await store.delete('things', item(2).id)
      await putOne(unit([4]))
      const rest = await store.list('things', { limit: 2, after: page.next ?? '' })
      expect(rest.items.map((one) => one.id)).toEqual([item(4).id])
    })

    it('deletes an item permanently, then accepts the same content as new', async () => {
      await putOne(unit(['gone']))
      expect(await store.delete('things', item('gone').id)).toBe(true)
      expect(await store.get('things', item('gone').id)).toBeUndefined()
      expect(await store.delete('things', item('gone').id)).toBe(false)
      expect(await putOne(unit(['gone']), NOW + 9)).toMatchObject({
        outcomes: [{ kind: 'created', firstSeenMs: NOW + 9 }],
      })
    })

    it('defines a policy, and keeps it once the collection has items', async () => {
      const policy: IdentityPolicy = { kind: 'fields', include: ['/a'] }
      expect(await store.define('chosen', policy)).toBe('defined')
      expect(await store.define('chosen', { kind: 'bytes' })).toBe('defined')
      expect(await store.define('chosen', policy)).toBe('defined')
      expect(await store.define('chosen', policy)).toBe('unchanged')
      await putOne(unit([{ a: 1 }], { name: 'chosen', policy }))
      expect(await store.define('chosen', { kind: 'bytes' })).toBe('immutable')
      expect(await store.define('chosen', policy)).toBe('unchanged')
      expect(await store.collection('chosen')).toEqual({ name: 'chosen', policy })
    })

    it('stores nothing under a policy that is not the collection’s', async () => {
      await store.define('chosen', { kind: 'bytes' })
      expect(await putOne(unit([1], { name: 'chosen', policy: DEFAULT_POLICY }))).toEqual({ kind: 'policy-changed' })
      expect((await store.list('chosen', { limit: 1 })).items).toEqual([])
    })

    it('replays the receipt of a key, and refuses the key for another request', async () => {
      const first = await putOne({ ...unit(['keyed']), idempotency: keyRequest('k') })
      expect(first).toMatchObject({ kind: 'stored', receipt: { status: 201 } })
      const again = await putOne({ ...unit(['keyed']), idempotency: keyRequest('k') })
      expect(again).toEqual({ kind: 'replayed', receipt: first?.kind === 'stored' ? first.receipt : undefined })
      expect(await putOne({ ...unit(['other']), idempotency: keyRequest('k', 'another') })).toEqual({
        kind: 'key-reused',
      })
      expect(await store.get('things', item('other').id)).toBeUndefined()
    })

    it('replays a receipt after its item was deleted, because the receipt belongs to the key', async () => {
      await putOne({ ...unit(['keyed']), idempotency: keyRequest('k') })
      await store.delete('things', item('keyed').id)
      expect(await putOne({ ...unit(['keyed']), idempotency: keyRequest('k') })).toMatchObject({ kind: 'replayed' })
    })

    it('accepts a key for another request after it has expired', async () => {
      await putOne({ ...unit(['keyed']), idempotency: keyRequest('k', 'f', NOW + 10) })
      expect(
        await putOne({ ...unit(['keyed']), idempotency: keyRequest('k', 'another', NOW + 99) }, NOW + 11),
      ).toMatchObject({
        kind: 'stored',
        receipt: { status: 200 },
      })
    })

    it('keeps the keys of different callers apart', async () => {
      await putOne({ ...unit(['keyed']), idempotency: keyRequest('k') })
      const other = { ...keyRequest('k', 'another'), scope: 'somebody' }
      expect(await putOne({ ...unit(['more']), idempotency: other })).toMatchObject({ kind: 'stored' })
    })

    it('stores one request per key, however many calls race', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, () => putOne({ ...unit(['keyed']), idempotency: keyRequest('race') })),
      )
      expect(outcomes.filter((one) => one?.kind === 'stored')).toHaveLength(1)
      expect(outcomes.filter((one) => one?.kind === 'replayed')).toHaveLength(9)
    })

    it('accepts batches of every size in one call', async () => {
      const units = [unit([]), unit(Array.from({ length: 700 }, (_, n) => `many ${n}`)), unit(['one more'])]
      const outcomes = await store.put(units, NOW)
      expect(outcomes.map((one) => (one.kind === 'stored' ? one.outcomes.length : -1))).toEqual([0, 700, 1])
      expect((await store.list('things', { limit: 1000 })).items).toHaveLength(701)
    })

    it('counts each deletion that removed an item', async () => {
      await putOne(unit([1, 2]))
      await putOne(unit([1], { name: 'others', policy: DEFAULT_POLICY }))
      const before = await store.version('things')
      expect(before.deletes).toBe(0)
      await store.delete('things', item(1).id)
      await store.delete('things', item(1).id)
      expect((await store.version('things')).deletes).toBe(1)
      await putOne(unit([1]))
      await Promise.all([store.delete('things', item(1).id), store.delete('things', item(2).id)])
      expect((await store.version('things')).deletes).toBe(3)
      expect((await store.version('others')).deletes).toBe(0)
      expect((await store.version('nowhere')).deletes).toBe(0)
    })

    it('keeps its epoch until a new one begins', async () => {
      const first = await store.version('things')
      await putOne(unit([1]))
      const second = await store.version('things')
      await store.delete('things', item(1).id)
      const third = await store.version('others')
      expect(sameTimeline(first, second) && sameTimeline(second, third)).toBe(true)
      expect(second.position > first.position && third.position > second.position).toBe(true)
      const epoch = await store.beginEpoch()
      expect(epoch).not.toBe(third.epoch)
      expect((await store.version('things')).epoch).toBe(epoch)
    })

    deletionContract({ it, item, unit, keyRequest, now: NOW, store: () => store })

    it('accepts writes', async () => {
      await expect(store.check()).resolves.toBeUndefined()
    })

    test('skips name tests of this suite', () => {
      expect(skips.filter((skip) => !titles.has(skip.test))).toEqual([])
    })
  })
}
