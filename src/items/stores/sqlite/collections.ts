/** The rows of the table `collections`, each under a checksum. */
import type { DatabaseSync } from 'node:sqlite'
import { type IdentityPolicy, parsePolicy } from '../../../identity/policy.ts'
import { checksumOf } from '../../checksum.ts'
import { damaged } from '../../item-check.ts'

/** Places of one collection: see schema.ts. */
export const PLACES = 2 ** 33

export interface CollectionRow {
  readonly id: number
  readonly name: string
  policy: string
  /** The highest place ever given out; the place before the first one when there was none. */
  lastPlace: number
  /**
   * Beyond this place every item has a checksum, and every place up to the last one has an item or lies in a gap (see
   * gaps.ts). Up to it lie items of an older version that fill.ts has not come to.
   */
  checkedFrom: number
  /** Deletions that removed something. */
  deletes: number
}

export const COLLECTION_COLUMNS = 'id, name, policy, last_place, checked_from, deletes, checksum'

/** @throws IngotError STORE_CORRUPT for a row that is not the one that was stored */
export function collectionOfRow(row: Record<string, unknown>): CollectionRow {
  const read = rawCollection(row)
  if (collectionChecksum(read) !== row['checksum']) throw damaged(`the row of collection "${read.name}"`)
  return read
}

/** The row without looking at its checksum. */
export function rawCollection(row: Record<string, unknown>): CollectionRow {
  return {
    id: Number(row['id']),
    name: String(row['name']),
    policy: String(row['policy']),
    lastPlace: Number(row['last_place']),
    checkedFrom: Number(row['checked_from']),
    deletes: Number(row['deletes']),
  }
}

export function collectionChecksum(row: CollectionRow): number {
  return checksumOf([row.id, row.name, row.policy, row.lastPlace, row.checkedFrom, row.deletes])
}

/** @throws IngotError STORE_CORRUPT */
export function policyOf(row: CollectionRow): IdentityPolicy {
  try {
    return parsePolicy(JSON.parse(row.policy))
  } catch {
    // whatever is wrong with it: only policies were stored
    throw damaged(`the policy of collection "${row.name}"`)
  }
}

/**
 * Throws IngotError STORE_CORRUPT unless the table and its index are whole and every row is the one that was stored. Called
 * when the file is opened: afterwards a name that the index does not have is the name of no collection.
 */
export function checkCollections(db: DatabaseSync): void {
  const [found] = db.prepare('PRAGMA integrity_check(collections)').all()
  if (found?.['integrity_check'] !== 'ok') throw damaged('the table of collections')
  for (const row of db.prepare(`SELECT ${COLLECTION_COLUMNS} FROM collections`).iterate()) collectionOfRow(row)
}

export type Collections = ReturnType<typeof createCollections>

/** The collections, read once and kept: this connection is the only one that writes them. */
export function createCollections(db: DatabaseSync) {
  const select = db.prepare(`SELECT ${COLLECTION_COLUMNS} FROM collections WHERE name = ?`)
  const insert = db.prepare('INSERT INTO collections (name, policy, last_place) VALUES (?, ?, 0) RETURNING id')
  const update = db.prepare(
    'UPDATE collections SET policy = ?, last_place = ?, checked_from = ?, deletes = ?, checksum = ? WHERE id = ?',
  )
  const known = new Map<string, CollectionRow>()
  const changed = new Set<CollectionRow>()

  function find(name: string): CollectionRow | undefined {
    const kept = known.get(name)
    if (kept !== undefined) return kept
    const row = select.get(name)
    if (row === undefined) return undefined
    const read = collectionOfRow(row)
    known.set(name, read)
    return read
  }

  return {
    find,
    findOrMake(name: string, policy: string): CollectionRow {
      const found = find(name)
      if (found !== undefined) return found
      const id = Number(insert.get(name, policy)?.['id'])
      const made = { id, name, policy, lastPlace: id * PLACES, checkedFrom: id * PLACES, deletes: 0 }
      known.set(name, made)
      changed.add(made)
      return made
    },
    /** To be called in the transaction that changes the row. */
    change(row: CollectionRow, values: Partial<CollectionRow>): void {
      Object.assign(row, values)
      changed.add(row)
    },
    /** To be called before the transaction commits. */
    save(): void {
      for (const row of changed) {
        update.run(row.policy, row.lastPlace, row.checkedFrom, row.deletes, collectionChecksum(row), row.id)
      }
      changed.clear()
    },
    /** After a rollback what is kept here may be ahead of the file. */
    invalidate(): void {
      known.clear()
      changed.clear()
    },
  }
}
