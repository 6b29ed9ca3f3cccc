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
  return {
    firstSeenMs(collection, id) {
      const entry = known.get(id)
      return entry?.stamp.collection === collection ? entry.firstSeenMs : undefined
    },
    stamp(collection) {
      const stamp = stamps.get(collection) ?? { collection, epoch: '', deletes: 0 }
      if (stamps.size < max) stamps.set(collection, stamp)
      return stamp
    },
    remember: (stamp, id, firstSeenMs) => void known.set(id, { stamp, firstSeenMs, atMs: 0 }),
    invalidate: async (_collection, id) => void known.delete(id),
  }
}

/** For a store with several writers. Entries are valid under leases. */
export function createLeasedItems(max: number, leases: VersionLeases, clock: Clock): RecentItems {
  if (max === 0) return { ...noRecentItems, invalidate: () => clock.sleep(LEASE_END_MS) }
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
      await clock.sleep(LEASE_END_MS)
    },
  }
}
