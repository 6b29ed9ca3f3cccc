/**
 * Upgrades items of an older version: adds checksums, and gaps for places without an item. It goes from the end of each
 * collection to its beginning, some items per transaction. `checked_from` records its progress, so it can be stopped at
 * any time.
 *
 * The checksum proves that an item has not changed since then. Earlier damage is detected only if the id shows it. Such
 * an item gets no checksum, and is refused.
 */
import type { DatabaseSync } from 'node:sqlite'
import { createItemChecksum } from '../../checksum.ts'
import { wrongId } from '../../item-check.ts'
import { itemIdOfKey } from '../../item-key.ts'
import { type CollectionRow, type Collections, PLACES, policyOf } from './collections.ts'
import type { Gaps } from './gaps.ts'
import { type FoundItem, itemOfRow, type PlacedRow, prepareItems } from './rows.ts'

/** Items per step. A step delays a batch by some milliseconds. */
const STEP_ITEMS = 500
const STEP_BYTES = 1_024 * 1_024

/**
 * Returns a function that does one step, and returns true if more steps are left. Call the function in a transaction.
 */
export function createFill(db: DatabaseSync, collections: Collections, gaps: Gaps): () => boolean {
  const pending = db.prepare('SELECT name FROM collections WHERE checked_from > id << 33 LIMIT 1')
  const below = prepareItems(db, 'FROM items WHERE place > ? AND place <= ? ORDER BY place DESC LIMIT ?')
  const update = db.prepare('UPDATE items SET checksum = ? WHERE place = ?')
  const checksum = createItemChecksum()

  function fillItem({ place, row }: PlacedRow, into: CollectionRow): void {
    const item = { id: itemIdOfKey(row.key), media: row.media, content: row.content }
    if (row.checksum !== null || wrongId(item, policyOf(into)) !== undefined) return
    const head = { collection: into.name, media: row.media, firstSeenMs: row.firstSeenMs }
    update.run(checksum(head, row.key, row.content), place)
  }

  /** Returns the next rows, from the last place to the first. */
  function take(into: CollectionRow): readonly FoundItem[] {
    const taken: FoundItem[] = []
    let bytes = 0
    for (const found of below.iterate(into.id * PLACES, into.checkedFrom, STEP_ITEMS)) {
      taken.push(found)
      const [, , , , , content] = found
      bytes += content instanceof Uint8Array ? content.length : 0
      if (bytes >= STEP_BYTES) break
    }
    return taken
  }

  function fillPlace(found: FoundItem, into: CollectionRow): void {
    const placed = readable(found)
    if (placed !== undefined) fillItem(placed, into)
  }

  return () => {
    const name = pending.get()?.['name']
    const into = typeof name === 'string' ? collections.find(name) : undefined
    if (into === undefined) return false
    const base = into.id * PLACES
    const taken = take(into)
    let above = into.checkedFrom + 1
    for (const found of taken) {
      const place = Number(found[0])
      fillPlace(found, into)
      if (place < above - 1) gaps.add(place + 1, above - 1)
      above = place
    }
    if (taken.length === 0 && base < above - 1) gaps.add(base + 1, above - 1)
    collections.change(into, { checkedFrom: taken.length === 0 ? base : above - 1 })
    return true
  }
}

/** Returns `undefined` for an unreadable row, which gets no checksum and is therefore refused. */
function readable(found: FoundItem): PlacedRow | undefined {
  try {
    return itemOfRow(found)
  } catch {
    // damaged: a request for the item gets an error
    return undefined
  }
}
