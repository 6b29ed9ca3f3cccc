/**
 * A memory of ids that are known to be committed. It evicts the least recently used id. It saves the store a lookup. It
 * is filled only after a commit, and an entry is valid only while the store has the timeline in which it was added.
 *
 * If this process is the only writer of the store, it knows of every deletion. Otherwise an entry is used only under a
 * lease (version-lease.ts) on the version of its stamp, and only if that lease was requested after the entry's commit.
 * Otherwise the store might have gone back in time between the two, unnoticed.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../std/clock.ts'
import type { ItemId } from '../item.ts'
import { LEASE_END_MS, type VersionLeases } from './version-lease.ts'

/** The store version when a put began. */
export interface PutStamp {
  readonly collection: string
  readonly epoch: string
  readonly deletes: number
}

export interface RecentItems {
  /** Returns the first-seen time if the item is known to be in the store. */
  firstSeenMs(collection: string, id: ItemId): number | undefined
  /** Call this before a put begins. Returns `undefined` if its items cannot be remembered. */
  stamp(collection: string): PutStamp | undefined
  /** Call this after the commit of a put that began with `stamp`. */
  remember(stamp: PutStamp, id: ItemId, firstSeenMs: number): void
  /** Resolves when no replica reports the item as a duplicate any more. Await it between a deletion and its response. */
  invalidate(collection: string, id: ItemId): Promise<void>
  /** Like `invalidate`, for all items that were in the collection when it was deleted. */
  invalidateCollection(collection: string): Promise<void>
}

interface Entry {
  readonly stamp: PutStamp
  readonly firstSeenMs: number
  /** Monotonic milliseconds when the entry was added. 0 if the store has a single writer. */
  readonly atMs: number
}

/** Remembers nothing. For stores that have other writers and no version. */
export const noRecentItems: RecentItems = {
  firstSeenMs: () => undefined,
  stamp: () => undefined,
  remember: () => {},
  invalidate: async () => {},
  invalidateCollection: async () => {},
}

/**
 * For a store with a single writer. An entry takes about 200 bytes. `max` 0 disables the memory. Entries are keyed by
 * id alone, because that string already exists. They contain their collection, so the same content in two collections
 * has one entry, for the collection that used it last.
 */
export function createRecentItems(max: number): RecentItems {
  if (max === 0) return noRecentItems
  const known = new LRUCache<ItemId, Entry>({ max })
  const stamps = new Map<string, PutStamp>()
  const deletions = createDeletionNumbers(max)
  return {
    firstSeenMs(collection, id) {
      const entry = known.get(id)
      if (entry?.stamp.collection !== collection) return undefined
      return entry.stamp.deletes === deletions.of(collection) ? entry.firstSeenMs : undefined
    },
    stamp(collection) {
      const stamp = stamps.get(collection) ?? { collection, epoch: '', deletes: deletions.of(collection) }
      if (stamps.size < max) stamps.set(collection, stamp)
      return stamp
    },
    remember: (stamp, id, firstSeenMs) => void known.set(id, { stamp, firstSeenMs, atMs: 0 }),
    invalidate: async (_collection, id) => void known.delete(id),
    async invalidateCollection(collection) {
      // a put in progress has the old stamp, so its items are not believed
      if (deletions.add(collection) === 'all') stamps.clear()
      stamps.delete(collection)
    },
  }
}

/** Numbers the deletions of collections in this process. Remembers at most `max` collections. */
function createDeletionNumbers(max: number) {
  const numbers = new Map<string, number>()
  let latest = 0
  /** The number of every collection that is not remembered. */
  let others = 0
  return {
    of: (collection: string): number => numbers.get(collection) ?? others,
    /** Returns `all` if the number of every collection has changed. */
    add(collection: string): 'one' | 'all' {
      latest++
      if (numbers.size < max || numbers.has(collection)) {
        numbers.set(collection, latest)
        return 'one'
      }
      numbers.clear()
      others = latest
      return 'all'
    },
  }
}

/** For a store with several writers. Entries are valid under leases. */
export function createLeasedItems(max: number, leases: VersionLeases, clock: Clock): RecentItems {
  const leasesEnd = (): Promise<void> => clock.sleep(LEASE_END_MS)
  if (max === 0) return { ...noRecentItems, invalidate: leasesEnd, invalidateCollection: leasesEnd }
  const known = new LRUCache<ItemId, Entry>({ max })
  return {
    firstSeenMs(collection, id) {
      const entry = known.get(id)
      if (entry === undefined || entry.stamp.collection !== collection) return undefined
      const lease = leases.current(collection)
      const believed =
        lease !== undefined &&
        lease.epoch === entry.stamp.epoch &&
        lease.deletes === entry.stamp.deletes &&
        lease.requestedMs > entry.atMs
      return believed ? entry.firstSeenMs : undefined
    },
    stamp(collection) {
      const lease = leases.current(collection)
      return lease && { collection, epoch: lease.epoch, deletes: lease.deletes }
    },
    remember: (stamp, id, firstSeenMs) => void known.set(id, { stamp, firstSeenMs, atMs: clock.monotonicMs() }),
    async invalidate(_collection, id) {
      known.delete(id)
      await leasesEnd()
    },
    // no lease on the new count of deletions confirms an older entry
    invalidateCollection: leasesEnd,
  }
}
