/** Rows of the table `items` as read from the file. After damage, any column may have any value. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { damaged, type ItemRow } from '../../item-check.ts'
import { ITEM_KEY_BYTES } from '../../item-key.ts'

/** The values of a row, in the order of the columns of `prepareItems`. */
export type FoundItem = readonly [
  place: unknown,
  collection: unknown,
  id: unknown,
  media: unknown,
  firstSeenMs: unknown,
  content: unknown,
  checksum: unknown,
]

export interface ItemQuery {
  get(...values: readonly SQLInputValue[]): FoundItem | undefined
  iterate(...values: readonly SQLInputValue[]): Iterable<FoundItem>
}

/**
 * Prepares a query for all columns of items. `rest` is the SQL text from FROM on. `checksum` is the expression for the
 * last column, for tables of an older schema.
 *
 * Rows are arrays. Objects would create the column names again for each row, and their properties are slow to read.
 */
export function prepareItems(db: DatabaseSync, rest: string, checksum = 'checksum'): ItemQuery {
  const query = db.prepare(`SELECT place, collection, id, media, first_seen_ms, content, ${checksum} ${rest}`)
  query.setReturnArrays(true)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- arrays were asked for, of these seven columns
  return query as unknown as ItemQuery
}

export interface PlacedRow {
  readonly place: number
  /** Number of the collection. */
  readonly collection: number
  readonly row: ItemRow
}

/** Checks the types of a row. Throws IngotError STORE_CORRUPT for values of other types. */
export function itemOfRow(found: FoundItem): PlacedRow {
  const [place, collection, id, media, firstSeenMs, content, checksum] = found
  if (
    typeof place === 'number' &&
    typeof collection === 'number' &&
    id instanceof Uint8Array &&
    id.length === ITEM_KEY_BYTES &&
    (media === null || typeof media === 'string') &&
    typeof firstSeenMs === 'number' &&
    content instanceof Uint8Array &&
    (checksum === null || typeof checksum === 'number')
  ) {
    const row = { key: id, media: media ?? 'application/json', firstSeenMs, content, checksum }
    return { place, collection, row }
  }
  throw damaged(`the row of the item at place ${String(place)}`)
}
