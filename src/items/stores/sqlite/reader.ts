/** The read methods of the store. Each reads one snapshot of the file. */
import type { DatabaseSync } from 'node:sqlite'
import type { StoredItem } from '../../item.ts'
import { createItemCheck, damaged } from '../../item-check.ts'
import { createCollectionList } from './collection-list.ts'
import { COLLECTION_COLUMNS, type CollectionRow, collectionOfRow, PLACES, policyOf } from './collections.ts'
import { createGapLookup } from './gaps.ts'
import type { PackedCollection, PlacedItem, PlacedPage } from './protocol.ts'
import { itemOfRow, type PlacedRow, prepareItems } from './rows.ts'

export interface Reader {
  /** Returns at most `limit` collections after the name `after`, in the order of their names. */
  collections(after: string, limit: number): readonly PackedCollection[]
  get(collection: string, key: Uint8Array): StoredItem | undefined
  /** Returns items after place `after`: at most `limit`, and fewer once they reach PAGE_BYTES. */
  list(collection: string, after: number, limit: number): PlacedPage
}

/** A page of large items is shortened, because it has to fit into memory several times on its way to the client. */
const PAGE_BYTES = 8 * 1_024 * 1_024

/**
 * Returns rows as they were stored. Throws IngotError STORE_CORRUPT for a changed row. SQLite throws its own errors for
 * damaged pages.
 */
export function createReader(db: DatabaseSync): Reader {
  const named = db.prepare(`SELECT ${COLLECTION_COLUMNS} FROM collections WHERE name = ?`)
  const byKey = prepareItems(db, 'FROM items WHERE collection = ? AND id = ?')
  const page = prepareItems(db, 'FROM items WHERE place > ? AND place < ? ORDER BY place LIMIT ?')
  const listCollections = createCollectionList(db)
  const checkItem = createItemCheck()
  const inGaps = createGapLookup(db)

  function find(collection: string): CollectionRow | undefined {
    const row = named.get(collection)
    return row === undefined ? undefined : collectionOfRow(row)
  }

  function serve({ place, collection, row }: PlacedRow, from: CollectionRow): StoredItem {
    const isItsOwn = collection === from.id && place > from.id * PLACES && place <= from.lastPlace
    if (!isItsOwn || (row.checksum === null && place > from.checkedFrom)) {
      throw damaged(`the row of the item at place ${place} of collection "${from.name}"`)
    }
    return checkItem(row, { name: from.name, policy: () => policyOf(from) })
  }

  /** Throws unless every place from `first` to `last` that must have an item is in a gap. */
  function expectGap(first: number, last: number, from: CollectionRow): void {
    if (!inGaps(Math.max(first, from.checkedFrom + 1), last)) {
      throw damaged(`collection "${from.name}": an item between the places ${first} and ${last}`)
    }
  }

  function takePage(from: CollectionRow, after: number, limit: number): PlacedPage {
    const base = from.id * PLACES
    const items: PlacedItem[] = []
    let bytes = 0
    // a cursor from before a deletion of the collection is a place of another number
    let last = after > base && after < base + PLACES ? after : base
    for (const found of page.iterate(last, base + PLACES, limit + 1)) {
      if (items.length === limit || bytes >= PAGE_BYTES) return { items, more: true }
      const placed = itemOfRow(found)
      if (placed.place <= last) throw damaged(`the order of collection "${from.name}"`)
      expectGap(last + 1, placed.place - 1, from)
      last = placed.place
      const item = serve(placed, from)
      items.push({ place: last, item })
      bytes += item.content.length
    }
    expectGap(last + 1, from.lastPlace, from)
    return { items, more: false }
  }

  return {
    collections: (after, limit) => inSnapshot(db, () => listCollections(after, limit)),
    get: (collection, key) =>
      inSnapshot(db, () => {
        const from = find(collection)
        const found = from && byKey.get(from.id, key)
        if (from === undefined || found === undefined) return undefined
        const placed = itemOfRow(found)
        // a damaged index may lead to another row
        if (Buffer.compare(placed.row.key, key) !== 0)
          throw damaged(`an entry of the index of collection "${collection}"`)
        return serve(placed, from)
      }),
    list: (collection, after, limit) =>
      inSnapshot(db, () => {
        const from = find(collection)
        return from === undefined ? { items: [], more: false } : takePage(from, after, limit)
      }),
  }
}

function inSnapshot<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN')
  try {
    return work()
  } finally {
    // SQLite ends the transaction itself after some errors
    if (db.isTransaction) db.exec('ROLLBACK')
  }
}
