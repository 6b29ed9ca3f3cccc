/**
 * Gives the items of an older version what newer ones are stored with: a checksum, and gaps for places without an item.
 * It goes from each collection's end to its beginning, some items in a transaction, and `checked_from` says how far it
 * has come, so that it may be broken off at any time.
 *
 * Such a checksum proves that an item has not changed since it was filled in. What was damaged before is noticed when
 * the id shows it: such an item gets no checksum and is refused. Otherwise it is taken for what was stored.
 */
import type { DatabaseSync } from 'node:sqlite'
import { createItemChecksum } from '../../checksum.ts'
import { wrongId } from '../../item-check.ts'
import { itemIdOfKey } from '../../item-key.ts'
import { type CollectionRow, type Collections, PLACES, policyOf } from './collections.ts'
import type { Gaps } from './gaps.ts'
import { type FoundItem, itemOfRow, type PlacedRow, prepareItems } from './rows.ts'

/** One step holds up a batch for some milliseconds. */
const STEP_ITEMS = 500
const STEP_BYTES = 1_024 * 1_024

/** Returns a function that does one step and returns whether there are more. To be called in a transaction. */
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

  /** The next rows, from the last place to the first. */
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

/** A row that cannot be read gets no checksum, and is refused for it. */
function readable(found: FoundItem): PlacedRow | undefined {
  try {
    return itemOfRow(found)
  } catch {
    // damaged: whoever asks for it is told
    return undefined
  }
}
