/** The questions that change nothing. */
import type { DatabaseSync } from 'node:sqlite'
import type { Row } from './protocol.ts'

/** Places of one collection: see schema.ts. */
export const PLACES = 2 ** 33

export interface Reader {
  get(collection: string, key: Uint8Array): Row | undefined
  /** Rows behind place `after`, at most `limit` and one more. */
  list(collection: string, after: number, limit: number): readonly Row[]
}

const COLUMNS = 'place, id, media, first_seen_ms, content'

export function createReader(db: DatabaseSync): Reader {
  const collectionId = db.prepare('SELECT id FROM collections WHERE name = ?')
  const byKey = db.prepare(`SELECT ${COLUMNS} FROM items WHERE collection = ? AND id = ?`)
  const page = db.prepare(`SELECT ${COLUMNS} FROM items WHERE place > ? AND place < ? ORDER BY place LIMIT ?`)

  function find(collection: string): number | undefined {
    const row = collectionId.get(collection)
    return row === undefined ? undefined : Number(row['id'])
  }

  return {
    get(collection, key) {
      const id = find(collection)
      const row = id === undefined ? undefined : byKey.get(id, key)
      return row === undefined ? undefined : toRow(row)
    },
    list(collection, after, limit) {
      const id = find(collection)
      if (id === undefined) return []
      const first = id * PLACES
      return page.all(Math.max(first, after), first + PLACES, limit + 1).map(toRow)
    },
  }
}

function toRow(row: Record<string, unknown>): Row {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the columns are COLUMNS, and the table is STRICT
  return row as unknown as Row
}
