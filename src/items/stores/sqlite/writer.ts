/**
 * All changes of the store, on its one writing connection. A batch is one transaction. The unique index decides about
 * duplicates: an item is inserted, and looked up if the index refused it. If duplicates are frequent, the lookup comes
 * first and saves the insert. Items that it does not find are still inserted under the index.
 */
import type { DatabaseSync } from 'node:sqlite'
import { IngotError } from '../../../errors/error.ts'
import { createJoinedChecksum } from '../../checksum.ts'
import { itemIdOfKey } from '../../item-key.ts'
import { renderReceipt } from '../../receipt.ts'
import type { DefineOutcome } from '../../store.ts'
import { type CollectionRow, type Collections, createCollections } from './collections.ts'
import { createDeletions, type Deletions } from './deletions.ts'
import { createFill } from './fill.ts'
import { createGaps } from './gaps.ts'
import { createIdempotency } from './idempotency.ts'
import {
  createItemReader,
  type PackedBatch,
  type PackedItem,
  type PackedOutcome,
  type PackedUnit,
  unpackItemOutcome,
} from './protocol.ts'

export interface Writer {
  /** Runs `work` in a transaction. When this returns, all of it is durable. If it throws, nothing of it is stored. */
  transaction<T>(work: () => T): T
  put(batch: PackedBatch, nowMs: number): readonly PackedOutcome[]
  policy(collection: string): string | undefined
  define(collection: string, policy: string): DefineOutcome
  delete(collection: string, key: Uint8Array): boolean
  readonly deletions: Deletions
  /** Throws if a write would not be accepted. */
  check(): void
  /** Adds checksums to some items of an older version, in a transaction. Returns true if more are left. */
  fill(): boolean
}

export function createWriter(db: DatabaseSync): Writer {
  const collections = createCollections(db)
  const gaps = createGaps(db)
  const put = createPut(db, collections)
  const fill = createFill(db, collections, gaps)
  const placeOf = db.prepare('SELECT place FROM items WHERE collection = ? AND id = ?')
  const remove = db.prepare('DELETE FROM items WHERE place = ?')
  const anyItem = db.prepare('SELECT 1 FROM items WHERE collection = ? LIMIT 1')

  function transaction<T>(work: () => T): T {
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      collections.save()
      db.exec('COMMIT')
      return result
    } catch (failure) {
      collections.invalidate()
      if (db.isTransaction) db.exec('ROLLBACK')
      throw failure
    }
  }

  return {
    transaction,
    deletions: createDeletions(db, collections),
    fill: () => transaction(fill),
    put,
    policy: (collection) => collections.find(collection)?.policy,
    define(collection, policy) {
      const known = collections.find(collection)
      if (known?.policy === policy) return 'unchanged'
      if (known === undefined) collections.findOrMake(collection, policy)
      else if (anyItem.get(known.id) !== undefined) return 'immutable'
      else collections.change(known, { policy })
      return 'defined'
    },
    delete(collection, key) {
      const known = collections.find(collection)
      const place = known && placeOf.get(known.id, key)?.['place']
      if (known === undefined || typeof place !== 'number') return false
      remove.run(place)
      // fill.ts adds the gap for places at or below `checkedFrom`
      if (place > known.checkedFrom) gaps.add(place, place)
      collections.change(known, { deletes: known.deletes + 1 })
      return true
    },
    check: () => db.exec('BEGIN IMMEDIATE; ROLLBACK'),
  }
}

function createPut(db: DatabaseSync, collections: Collections): Writer['put'] {
  const receipts = createIdempotency(db)
  const checksum = createJoinedChecksum()
  const insert = db.prepare(
    'INSERT INTO items (place, collection, id, media, first_seen_ms, content, checksum) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const firstSeen = db.prepare('SELECT first_seen_ms FROM items WHERE collection = ? AND id = ?')
  firstSeen.setReturnArrays(true)
  /** True if most items of the last batch were duplicates. Then a lookup before the insert costs less. */
  let lookUpFirst = false

  function findFirstSeen(into: CollectionRow, item: PackedItem): number | undefined {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- arrays were asked for: one column, STRICT
    const row = firstSeen.get(into.id, item.key) as unknown as [number] | undefined
    return row?.[0]
  }

  function putItem(into: CollectionRow, item: PackedItem, nowMs: number): number {
    const known = lookUpFirst ? findFirstSeen(into, item) : undefined
    return known === undefined ? insertItem(into, item, nowMs) : -known
  }

  function insertItem(into: CollectionRow, item: PackedItem, nowMs: number): number {
    const media = item.media === 'application/json' ? null : item.media
    const head = { collection: into.name, media: item.media, firstSeenMs: nowMs }
    const sum = checksum(head, item.keyAndContent)
    const { changes } = insert.run(into.lastPlace + 1, into.id, item.key, media, nowMs, item.content, sum)
    if (changes === 1) {
      into.lastPlace++
      return nowMs
    }
    const known = findFirstSeen(into, item)
    // the index refused it, yet the item does not exist: the place is taken
    if (known === undefined) throw new IngotError('STORE_CORRUPT', `place ${into.lastPlace + 1} is taken`)
    return -known
  }

  function putUnit(unit: PackedUnit, items: readonly PackedItem[], nowMs: number): PackedOutcome {
    const earlier = unit.idempotency && receipts.find(unit.idempotency, nowMs)
    if (earlier !== undefined) return earlier
    const into = collections.findOrMake(unit.collection, unit.policy)
    if (into.policy !== unit.policy) return { kind: 'policy-changed' }
    const before = into.lastPlace
    const seen = Float64Array.from(items, (item) => putItem(into, item, nowMs))
    if (into.lastPlace !== before) collections.change(into, {})
    if (unit.idempotency === undefined) return { kind: 'stored', firstSeen: seen }
    const ids = items.map((item) => itemIdOfKey(item.key))
    const receipt = renderReceipt(unit.idempotency.form, ids, Array.from(seen, unpackItemOutcome))
    receipts.keep(unit.idempotency, receipt)
    return { kind: 'stored', firstSeen: seen, receipt }
  }

  return (batch, nowMs) => {
    const items = createItemReader(batch)
    const outcomes = batch.units.map((unit) => putUnit(unit, items.next(unit.count), nowMs))
    receipts.clearExpired(nowMs)
    lookUpFirst = mostlyDuplicates(outcomes)
    return outcomes
  }
}

function mostlyDuplicates(outcomes: readonly PackedOutcome[]): boolean {
  let balance = 0
  for (const outcome of outcomes) {
    if (outcome.kind === 'stored') for (const seen of outcome.firstSeen) balance += seen < 0 ? 1 : -1
  }
  return balance > 0
}
