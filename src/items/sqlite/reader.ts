/** The questions that change nothing. */
import type { DatabaseSync } from 'node:sqlite'
import type { Row, RowPage } from './protocol.ts'

/** Places of one collection: see schema.ts. */
export const PLACES = 2 ** 33

export interface Reader {
  get(collection: string, key: Uint8Array): Row | undefined
  /** Rows behind place `after`: at most `limit`, and fewer once they hold PAGE_BYTES. */
  list(collection: string, after: number, limit: number): RowPage
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
      if (id === undefined) return { rows: [], more: false }
      const first = id * PLACES
      return takePage(page.iterate(Math.max(first, after), first + PLACES, limit + 1), limit)
    },
  }
}

/** A page of large items is cut short: it has to fit into memory several times over on its way out. */
const PAGE_BYTES = 8 * 1_024 * 1_024

function takePage(rows: Iterable<Record<string, unknown>>, limit: number): RowPage {
  const taken: Row[] = []
  let bytes = 0
  for (const found of rows) {
    if (taken.length === limit || bytes >= PAGE_BYTES) return { rows: taken, more: true }
    const row = toRow(found)
    taken.push(row)
    bytes += row.content.length
  }
  return { rows: taken, more: false }
}

function toRow(row: Record<string, unknown>): Row {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the columns are COLUMNS, and the table is STRICT
  return row as unknown as Row
}
