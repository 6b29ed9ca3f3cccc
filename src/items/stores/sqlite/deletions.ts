/**
 * Deletions of collections (see collection-deletion.ts). The cut renames the row of the collection to `deleted:N`, which
 * is no valid name, and adds a row with the old name for later items. The purge removes the items of the renamed row, then
 * the row.
 */
import type { DatabaseSync } from 'node:sqlite'
import {
  type CollectionDeletion,
  type CollectionRemover,
  type DeleteCollectionOutcome,
  ENDED_DELETIONS,
  MAX_OPEN_DELETIONS,
  nextInCycle,
  PURGE_BYTES,
  type PurgeStep,
} from '../../collection-deletion.ts'
import { damaged } from '../../item-check.ts'
import { COLLECTION_COLUMNS, type CollectionRow, type Collections, collectionOfRow, PLACES } from './collections.ts'

type Sync<T> = { [K in keyof T]: T[K] extends (...args: infer A) => Promise<infer R> ? (...args: A) => R : never }

/** The methods of the port. Call `deleteCollection` and `purge` in a transaction. */
export type Deletions = Sync<CollectionRemover>

/** Items per step: fewer than PURGE_ITEMS, because batches of all collections wait for the step on the same thread. */
const STEP_ITEMS = 100

/** Maximum number of gaps that a step removes. */
const PURGE_GAPS = 2_000

/** Returns the name of the row whose items deletion `id` removes. */
export function detachedName(id: number | string): string {
  return `deleted:${id}`
}

/** Returns true for the name of a row whose items are being removed. */
export function isDetached(name: string): boolean {
  return name.startsWith('deleted:')
}

export function createDeletions(db: DatabaseSync, collections: Collections): Deletions {
  const anyItem = db.prepare('SELECT 1 FROM items WHERE collection = ? LIMIT 1')
  const open = db.prepare('SELECT id FROM deletions WHERE ended_ms IS NULL ORDER BY id')
  const columns = 'id, name, started_ms, ended_ms, deleted'
  const ofName = db.prepare(
    `SELECT ${columns} FROM deletions WHERE name = ? AND ended_ms IS NULL ORDER BY id DESC LIMIT 1`,
  )
  const ofId = db.prepare(`SELECT ${columns} FROM deletions WHERE name = ? AND id = ?`)
  const insert = db.prepare(
    `INSERT INTO deletions (name, collection, started_ms) VALUES (?, ?, ?) RETURNING ${columns}`,
  )
  const purge = createPurge(db)

  const openIds = (): readonly number[] => open.all().map((row) => Number(row['id']))

  function join(name: string): DeleteCollectionOutcome {
    const row = ofName.get(name)
    return row === undefined ? { kind: 'empty' } : { kind: 'joined', deletion: deletionOf(row) }
  }

  return {
    deleteCollection(name, nowMs) {
      const known = collections.find(name)
      if (known === undefined) return { kind: 'unknown' }
      if (anyItem.get(known.id) === undefined) return join(name)
      if (openIds().length >= MAX_OPEN_DELETIONS) return { kind: 'busy' }
      const deletion = deletionOf(insert.get(name, known.id, nowMs) ?? {})
      collections.detach(known, detachedName(Number(deletion.id)))
      return { kind: 'started', deletion }
    },
    deletion(name, id) {
      const row = /^[1-9]\d{0,14}$/.test(id) ? ofId.get(name, Number(id)) : undefined
      return row && deletionOf(row)
    },
    purge(nowMs, after): PurgeStep {
      const id = nextInCycle(openIds(), Number(after ?? 0))
      if (id === undefined) return { removed: 0, open: 0 }
      const removed = purge(id, nowMs)
      return { deletion: String(id), removed, open: openIds().length }
    },
  }
}

function deletionOf(row: Record<string, unknown>): CollectionDeletion {
  const ended = row['ended_ms'] ?? undefined
  return {
    id: String(row['id']),
    collection: String(row['name']),
    startedMs: Number(row['started_ms']),
    ...(ended === undefined ? {} : { endedMs: Number(ended) }),
    deletedItems: Number(row['deleted']),
  }
}

/** Returns a function that does one step of deletion `id`, and returns the number of removed items. */
function createPurge(db: DatabaseSync): (id: number, nowMs: number) => number {
  const target = db.prepare(
    `SELECT ${COLLECTION_COLUMNS} FROM collections WHERE id = (SELECT collection FROM deletions WHERE id = ?)`,
  )
  const places = db.prepare(
    `SELECT place, length(content) FROM items WHERE place > ? AND place < ? ORDER BY place LIMIT ${STEP_ITEMS}`,
  )
  places.setReturnArrays(true)
  const remove = db.prepare('DELETE FROM items WHERE place > ? AND place <= ?')
  const removeGaps = db.prepare(
    `DELETE FROM gaps WHERE first IN (SELECT first FROM gaps WHERE first > ? AND first < ? LIMIT ${PURGE_GAPS})`,
  )
  const removeRow = db.prepare('DELETE FROM collections WHERE id = ?')
  const progress = db.prepare('UPDATE deletions SET deleted = deleted + ? WHERE id = ?')
  const end = db.prepare('UPDATE deletions SET ended_ms = ? WHERE id = ?')
  const forget = db.prepare(
    `DELETE FROM deletions WHERE ended_ms IS NOT NULL AND id <= (SELECT max(id) FROM deletions) - ${ENDED_DELETIONS}`,
  )

  /** The checksum of the row and its name prove that its items were deleted. */
  function detached(id: number): CollectionRow {
    const found = target.get(id)
    const row = found && collectionOfRow(found)
    if (row?.name !== detachedName(id)) throw damaged(`the record of deletion ${id}`)
    return row
  }

  /** Returns the last place of this step. Returns `base` if no item is left. */
  function lastPlace(base: number): number {
    let last = base
    let bytes = 0
    for (const row of places.iterate(base, base + PLACES)) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- arrays were asked for: two integers
      const [place, size] = row as unknown as readonly [number, number]
      last = place
      bytes += size
      if (bytes >= PURGE_BYTES) break
    }
    return last
  }

  return (id, nowMs) => {
    const row = detached(id)
    const base = row.id * PLACES
    const last = lastPlace(base)
    if (last > base) {
      const removed = Number(remove.run(base, last).changes)
      progress.run(removed, id)
      return removed
    }
    if (Number(removeGaps.run(base, base + PLACES).changes) === PURGE_GAPS) return 0
    removeRow.run(row.id)
    end.run(nowMs, id)
    forget.run()
    return 0
  }
}
