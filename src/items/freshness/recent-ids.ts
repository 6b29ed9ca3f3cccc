/**
 * The ids that this process knows to be committed, the least recently met forgotten first. It saves the store a look;
 * it is only filled after a commit, and what it says rests on the store's past being the one in which it was filled.
 *
 * Where this process alone changes the store, it knows of every deletion itself. Where others do too, an entry is only
 * believed under a lease (version-lease.ts) on the very past that it was marked with, and only once that lease was asked
 * for after the entry's commit: else the store might have gone back to a moment between the two unnoticed.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../std/clock.ts'
import type { ItemId } from '../item.ts'
import { LEASE_END_MS, type VersionLeases } from './version-lease.ts'

/** The store version when a put began. */
export interface Mark {
  readonly collection: string
  readonly epoch: string
  readonly deletes: number
}

export interface RecentItems {
  /** Returns the first-seen time if the item is known to be in the store. */
  firstSeenMs(collection: string, id: ItemId): number | undefined
  /** Call this before a put begins. Returns `undefined` if its items cannot be remembered. */
  mark(collection: string): Mark | undefined
  /** Call this after the commit of a put that began with `mark`. */
  remember(mark: Mark, id: ItemId, firstSeenMs: number): void
  /** Resolves when no replica reports the item as a duplicate any more. Await it between a deletion and its response. */
  invalidate(collection: string, id: ItemId): Promise<void>
}

interface Entry {
  readonly mark: Mark
  readonly firstSeenMs: number
  /** Time of the entry, monotonic milliseconds. 0 if the store has a single writer. */
  readonly atMs: number
}

/** Remembers nothing. For stores that other processes change and that have no version. */
export const noRecentItems: RecentItems = {
  firstSeenMs: () => undefined,
  mark: () => undefined,
  remember: () => {},
  invalidate: async () => {},
}

/**
 * For a store that this process alone changes. About 200 bytes an entry; `max` 0 switches it off. Entries are kept by id
 * alone, which is ready-made, and say their collection: the same content in two collections has one entry, of the
 * collection that met it last.
 */
export function createRecentItems(max: number): RecentItems {
  if (max === 0) return noRecentItems
  const known = new LRUCache<ItemId, Entry>({ max })
  const marks = new Map<string, Mark>()
  return {
    firstSeenMs(collection, id) {
      const entry = known.get(id)
      return entry?.mark.collection === collection ? entry.firstSeenMs : undefined
    },
    mark(collection) {
      const mark = marks.get(collection) ?? { collection, epoch: '', deletes: 0 }
      if (marks.size < max) marks.set(collection, mark)
      return mark
    },
    remember: (mark, id, firstSeenMs) => void known.set(id, { mark, firstSeenMs, atMs: 0 }),
    invalidate: async (_collection, id) => void known.delete(id),
  }
}

/** For a store that other processes change too: entries are believed under leases. */
export function createLeasedItems(max: number, leases: VersionLeases, clock: Clock): RecentItems {
  if (max === 0) return { ...noRecentItems, invalidate: () => clock.sleep(LEASE_END_MS) }
  const known = new LRUCache<ItemId, Entry>({ max })
  return {
    firstSeenMs(collection, id) {
      const entry = known.get(id)
      if (entry === undefined || entry.mark.collection !== collection) return undefined
      const lease = leases.current(collection)
      const believed =
        lease !== undefined &&
        lease.epoch === entry.mark.epoch &&
        lease.deletes === entry.mark.deletes &&
        lease.askedMs > entry.atMs
      return believed ? entry.firstSeenMs : undefined
    },
    mark(collection) {
      const lease = leases.current(collection)
      return lease && { collection, epoch: lease.epoch, deletes: lease.deletes }
    },
    remember: (mark, id, firstSeenMs) => void known.set(id, { mark, firstSeenMs, atMs: clock.monotonicMs() }),
    async invalidate(_collection, id) {
      known.delete(id)
      await clock.sleep(LEASE_END_MS)
    },
  }
}
