/**
 * The ids that this process knows to be committed, the least recently met forgotten first. It saves the store a look;
 * it may only be filled after a commit, and is emptied of an id before the answer to its deletion leaves.
 */
import { LRUCache } from 'lru-cache'
import type { ItemId } from './item.ts'

export interface RecentItems {
  /** First-seen time, when the item is known to be in the store. */
  firstSeenMs(collection: string, id: ItemId): number | undefined
  remember(collection: string, id: ItemId, firstSeenMs: number): void
  forget(collection: string, id: ItemId): void
}

/**
 * About 200 bytes an entry. `max` 0 switches it off. Entries are kept by id alone, which is ready-made, and say their
 * collection: the same content in two collections has one entry, of the collection that met it last.
 */
export function createRecentItems(max: number): RecentItems {
  if (max === 0) return { firstSeenMs: () => undefined, remember: () => {}, forget: () => {} }
  const known = new LRUCache<ItemId, { readonly collection: string; readonly firstSeenMs: number }>({ max })
  return {
    firstSeenMs(collection, id) {
      const entry = known.get(id)
      return entry?.collection === collection ? entry.firstSeenMs : undefined
    },
    remember: (collection, id, firstSeenMs) => void known.set(id, { collection, firstSeenMs }),
    forget: (_collection, id) => void known.delete(id),
  }
}
