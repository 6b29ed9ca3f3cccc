/** Rows of the table `items` as they come from the file, where damage may have left anything in any column. */

import { damaged, type ItemRow } from '../item-check.ts'
import { ITEM_KEY_BYTES } from '../item-key.ts'

export const COLUMNS = 'place, collection, id, media, first_seen_ms, content, checksum'

export interface PlacedRow {
  readonly place: number
  /** The number of its collection. */
  readonly collection: number
  readonly row: ItemRow
}

/** Reads a row of COLUMNS. @throws Fault STORE_CORRUPT for values of types that were not stored */
export function itemOfRow(found: Record<string, unknown>): PlacedRow {
  const { place, collection, id, media, first_seen_ms: firstSeenMs, content, checksum } = found
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
