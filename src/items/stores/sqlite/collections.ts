/** Rows of the table `collections`, each with a checksum. */
import type { DatabaseSync } from 'node:sqlite'
import { type IdentityPolicy, parsePolicy } from '../../../identity/policy.ts'
import { checksumOf } from '../../checksum.ts'
import { damaged } from '../../item-check.ts'

/** Number of places of one collection. See migrate.ts. */
export const PLACES = 2 ** 33

export interface CollectionRow {
  readonly id: number
  readonly name: string
  policy: string
  /** The highest place ever assigned. For an empty collection, the place before the first one. */
  lastPlace: number
  /**
   * Above this place every item has a checksum, and every place up to `lastPlace` has an item or is in a gap (gaps.ts).
   * At or below it are items of an older version that fill.ts has not reached.
   */
  checkedFrom: number
  /** Number of deletions that removed an item. */
  deletes: number
}

export const COLLECTION_COLUMNS = 'id, name, policy, last_place, checked_from, deletes, checksum'

/** Reads a row and checks its checksum. Throws IngotError STORE_CORRUPT for a changed row. */
export function collectionOfRow(row: Record<string, unknown>): CollectionRow {
  const read = rawCollection(row)
  if (collectionChecksum(read) !== row['checksum']) throw damaged(`the row of collection "${read.name}"`)
  return read
}

/** Reads a row without checking its checksum. */
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

/** Returns the policy of a row. Throws IngotError STORE_CORRUPT. */
export function policyOf(row: CollectionRow): IdentityPolicy {
  try {
    return parsePolicy(JSON.parse(row.policy))
  } catch {
    // any error means damage, because only policies were stored
    throw damaged(`the policy of collection "${row.name}"`)
  }
}

/**
 * Throws IngotError STORE_CORRUPT if the table, its index or a row is damaged. Runs when the file is opened.
 * Afterwards, a name that is not in the index has no collection.
 */
export function checkCollections(db: DatabaseSync): void {
  const [found] = db.prepare('PRAGMA integrity_check(collections)').all()
  if (found?.['integrity_check'] !== 'ok') throw damaged('the table of collections')
  for (const row of db.prepare(`SELECT ${COLLECTION_COLUMNS} FROM collections`).iterate()) collectionOfRow(row)
}

/** Number of the last collection whose places a double represents exactly. */
const LAST_ID = 2 ** 20 - 1

/**
 * Numbers are assigned in ascending order, so a cursor from before a deletion leads to the begin of the later items. At
 * the end of the range, numbers of deleted collections are used again.
 */
const NEXT_ID = `SELECT CASE WHEN coalesce(max(id), 0) < ${LAST_ID} THEN coalesce(max(id), 0) + 1
  ELSE (SELECT min(c.id) + 1 FROM collections c WHERE c.id + 1 NOT IN (SELECT id FROM collections)) END FROM collections`

export type Collections = ReturnType<typeof createCollections>

/** Reads and caches the collections. This connection is the only one that writes them. */
export function createCollections(db: DatabaseSync) {
  const select = db.prepare(`SELECT ${COLLECTION_COLUMNS} FROM collections WHERE name = ?`)
  const insert = db.prepare(
    `INSERT INTO collections (id, name, policy, last_place) VALUES ((${NEXT_ID}), ?, ?, 0) RETURNING id`,
  )
  const rename = db.prepare('UPDATE collections SET name = ?, checked_from = ?, checksum = ? WHERE id = ?')
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

  function make({ name, policy, deletes }: Pick<CollectionRow, 'name' | 'policy' | 'deletes'>): CollectionRow {
    const id = Number(insert.get(name, policy)?.['id'])
    const made = { id, name, policy, lastPlace: id * PLACES, checkedFrom: id * PLACES, deletes }
    known.set(name, made)
    changed.add(made)
    return made
  }

  return {
    find,
    findOrMake: (name: string, policy: string): CollectionRow => find(name) ?? make({ name, policy, deletes: 0 }),
    /**
     * Gives the row another name, and makes a row without items under its old name. The next deletion count is part of
     * it. Items of the renamed row need no checksum any more.
     */
    detach(row: CollectionRow, newName: string): void {
      const detached = { ...row, name: newName, checkedFrom: row.id * PLACES }
      rename.run(newName, detached.checkedFrom, collectionChecksum(detached), row.id)
      changed.delete(row)
      make({ name: row.name, policy: row.policy, deletes: row.deletes + 1 })
    },
    /** Call this in the transaction that changes the row. */
    change(row: CollectionRow, values: Partial<CollectionRow>): void {
      Object.assign(row, values)
      changed.add(row)
    },
    /** Call this before the transaction commits. */
    save(): void {
      for (const row of changed) {
        update.run(row.policy, row.lastPlace, row.checkedFrom, row.deletes, collectionChecksum(row), row.id)
      }
      changed.clear()
    },
    /** Clears the cache, which may be ahead of the file after a rollback. */
    invalidate(): void {
      known.clear()
      changed.clear()
    },
  }
}
