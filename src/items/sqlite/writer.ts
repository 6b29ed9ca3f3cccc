/**
 * Everything that changes the store, by its one writing connection. A batch is one transaction. The unique
 * index is the judge: an item is inserted, and looked up when the index refused it. Where duplicates abound the look
 * comes first, to spare the insert; what it does not find is still inserted under the index.
 */
import type { DatabaseSync } from 'node:sqlite'
import { Fault } from '../../std/fault.ts'
import { itemIdOfKey } from '../item-key.ts'
import { type Receipt, renderReceipt } from '../receipt.ts'
import type { Claim, DefineOutcome } from '../store.ts'
import {
  createItemReader,
  type PackedBatch,
  type PackedItem,
  type PackedOutcome,
  type PackedUnit,
  unpackItemOutcome,
} from './protocol.ts'
import { PLACES } from './reader.ts'

/** How many expired receipts one batch clears away, so that no batch waits for a large clearing. */
const EXPIRED_PER_BATCH = 64

export interface Writer {
  /** Runs `work` as one transaction: when this returns all of it is durable; when it throws, nothing of it is. */
  transaction<T>(work: () => T, beforeCommit?: (result: T) => void): T
  put(batch: PackedBatch, nowMs: number): readonly PackedOutcome[]
  policy(collection: string): string | undefined
  define(collection: string, policy: string): DefineOutcome
  delete(collection: string, key: Uint8Array): boolean
  /** Throws when a write would not be accepted. */
  check(): void
}

interface CollectionRow {
  readonly id: number
  policy: string
  lastPlace: number
}

export function createWriter(db: DatabaseSync): Writer {
  const collections = createCollections(db)
  const put = createPut(db, collections)
  const remove = db.prepare('DELETE FROM items WHERE collection = ? AND id = ?')
  const countDeletion = db.prepare('UPDATE collections SET deletes = deletes + 1 WHERE id = ?')
  const anyItem = db.prepare('SELECT 1 FROM items WHERE collection = ? LIMIT 1')
  return {
    transaction(work, beforeCommit) {
      db.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        collections.savePlaces()
        beforeCommit?.(result)
        db.exec('COMMIT')
        return result
      } catch (failure) {
        collections.forget()
        if (db.isTransaction) db.exec('ROLLBACK')
        throw failure
      }
    },
    put,
    policy: (collection) => collections.find(collection)?.policy,
    define(collection, policy) {
      const known = collections.find(collection)
      if (known?.policy === policy) return 'unchanged'
      if (known === undefined) collections.findOrMake(collection, policy)
      else if (anyItem.get(known.id) !== undefined) return 'immutable'
      else collections.setPolicy(known, policy)
      return 'defined'
    },
    delete(collection, key) {
      const known = collections.find(collection)
      if (known === undefined || remove.run(known.id, key).changes === 0) return false
      countDeletion.run(known.id)
      return true
    },
    check: () => db.exec('BEGIN IMMEDIATE; ROLLBACK'),
  }
}

function createPut(db: DatabaseSync, collections: Collections): Writer['put'] {
  const receipts = createReceipts(db)
  const insert = db.prepare(
    'INSERT INTO items (place, collection, id, media, first_seen_ms, content) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const firstSeen = db.prepare('SELECT first_seen_ms FROM items WHERE collection = ? AND id = ?')
  firstSeen.setReturnArrays(true)
  /** Whether most items of the last batch were duplicates: then a look before the insert is the cheaper order. */
  let lookFirst = false

  function findFirstSeen(into: CollectionRow, item: PackedItem): number | undefined {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- arrays were asked for: one column, STRICT
    const row = firstSeen.get(into.id, item.key) as unknown as [number] | undefined
    return row?.[0]
  }

  function putItem(into: CollectionRow, item: PackedItem, nowMs: number): number {
    const known = lookFirst ? findFirstSeen(into, item) : undefined
    return known === undefined ? insertItem(into, item, nowMs) : -known
  }

  function insertItem(into: CollectionRow, item: PackedItem, nowMs: number): number {
    const media = item.media === 'application/json' ? null : item.media
    const { changes } = insert.run(into.lastPlace + 1, into.id, item.key, media, nowMs, item.content)
    if (changes === 1) {
      into.lastPlace++
      return nowMs
    }
    const known = findFirstSeen(into, item)
    // refused, and yet not there: then it was the place that was taken
    if (known === undefined) throw new Fault('STORE_CORRUPT', `place ${into.lastPlace + 1} is taken`)
    return -known
  }

  function putUnit(unit: PackedUnit, items: readonly PackedItem[], nowMs: number): PackedOutcome {
    const earlier = unit.claim && receipts.find(unit.claim, nowMs)
    if (earlier !== undefined) return earlier
    const into = collections.findOrMake(unit.collection, unit.policy)
    if (into.policy !== unit.policy) return { kind: 'policy-changed' }
    const seen = Float64Array.from(items, (item) => putItem(into, item, nowMs))
    collections.touch(into)
    if (unit.claim === undefined) return { kind: 'stored', firstSeen: seen }
    const ids = items.map((item) => itemIdOfKey(item.key))
    const receipt = renderReceipt(unit.claim.form, ids, Array.from(seen, unpackItemOutcome))
    receipts.keep(unit.claim, receipt)
    return { kind: 'stored', firstSeen: seen, receipt }
  }

  return (batch, nowMs) => {
    const items = createItemReader(batch)
    const outcomes = batch.units.map((unit) => putUnit(unit, items.next(unit.count), nowMs))
    receipts.clearExpired(nowMs)
    lookFirst = mostlyDuplicates(outcomes)
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

type Collections = ReturnType<typeof createCollections>

/** The collections, read once and kept: this connection is the only one that writes them. */
function createCollections(db: DatabaseSync) {
  const select = db.prepare('SELECT id, policy, last_place FROM collections WHERE name = ?')
  const insert = db.prepare('INSERT INTO collections (name, policy, last_place) VALUES (?, ?, 0) RETURNING id')
  const updatePolicy = db.prepare('UPDATE collections SET policy = ? WHERE id = ?')
  const updatePlace = db.prepare('UPDATE collections SET last_place = ? WHERE id = ? AND last_place <> ?')
  const known = new Map<string, CollectionRow>()
  const touched = new Set<CollectionRow>()

  function find(name: string): CollectionRow | undefined {
    const kept = known.get(name)
    if (kept !== undefined) return kept
    const row = select.get(name)
    if (row === undefined) return undefined
    const read = { id: Number(row['id']), policy: String(row['policy']), lastPlace: Number(row['last_place']) }
    known.set(name, read)
    return read
  }

  return {
    find,
    findOrMake(name: string, policy: string): CollectionRow {
      const found = find(name)
      if (found !== undefined) return found
      const id = Number(insert.get(name, policy)?.['id'])
      const made = { id, policy, lastPlace: id * PLACES }
      known.set(name, made)
      return made
    },
    setPolicy(row: CollectionRow, policy: string): void {
      updatePolicy.run(policy, row.id)
      row.policy = policy
    },
    touch: (row: CollectionRow) => void touched.add(row),
    savePlaces(): void {
      for (const row of touched) updatePlace.run(row.lastPlace, row.id, row.lastPlace)
      touched.clear()
    },
    /** After a rollback what is kept here may be ahead of the file. */
    forget(): void {
      known.clear()
      touched.clear()
    },
  }
}

/** Answers kept under Idempotency-Keys. */
function createReceipts(db: DatabaseSync) {
  const select = db.prepare(
    'SELECT fingerprint, status, body FROM receipts WHERE scope = ? AND key = ? AND expires_ms > ?',
  )
  const replace = db.prepare(
    'INSERT OR REPLACE INTO receipts (scope, key, fingerprint, status, body, expires_ms) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const clear = db.prepare(
    'DELETE FROM receipts WHERE (scope, key) IN (SELECT scope, key FROM receipts WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)',
  )
  return {
    find(claim: Claim, nowMs: number): Exclude<PackedOutcome, { kind: 'stored' }> | undefined {
      const row = select.get(claim.scope, claim.key, nowMs)
      if (row === undefined) return undefined
      if (row['fingerprint'] !== claim.fingerprint) return { kind: 'key-reused' }
      return { kind: 'replayed', receipt: { status: Number(row['status']), body: String(row['body']) } }
    },
    keep(claim: Claim, receipt: Receipt): void {
      replace.run(claim.scope, claim.key, claim.fingerprint, receipt.status, receipt.body, claim.expiresAtMs)
    },
    clearExpired: (nowMs: number) => void clear.run(nowMs, EXPIRED_PER_BATCH),
  }
}
