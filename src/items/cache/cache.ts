/**
 * The port of a cache of committed ids. Many replicas share it, and it outlives them. It saves the store lookups. A
 * cache may lose, keep, reorder or restore anything. Correctness therefore depends on the content of the entries alone:
 *
 *   An entry states a fact of the store's history: "in this epoch, at a position not beyond this one, the item was
 *   committed, and its put began when the collection had this many deletions."
 *
 * Such a fact stays true, whenever the entry is written, lost, found again or overwritten by an older one. It proves
 * that the item is stored now if a reader knows three things by a lease (version-lease.ts): the store is in that epoch,
 * its history has reached that position, and no deletion has been counted since.
 *
 * | event                                      | why no entry of a lost timeline is used                               |
 * | ------------------------------------------ | --------------------------------------------------------------------- |
 * | the store went back and detected it        | the store is in another epoch, whose name is new                      |
 * | the store went back and did not detect it  | its position is below the one recorded here after the commit, so the  |
 * |                                            | next reader begins an epoch; the entry contains its position as well, |
 * |                                            | in case the cache loses the record                                    |
 * | an item is deleted                         | the count of deletions changes, and the deletion waits for all leases |
 * | the commit failed, or its outcome is       | the entry is written only after the commit, and only if a version     |
 * | unknown                                    | requested after it is in the same epoch                               |
 * | the cache loses data or goes back in time  | its remaining entries are facts                                       |
 */

import type { PutStamp } from '../freshness/recent-ids.ts'
import type { ItemId } from '../item.ts'
import type { VersionStamp } from '../store-version.ts'

/** The fact of an entry. See above for `position` and the stamp. */
export interface Fact extends Pick<PutStamp, 'epoch' | 'deletes'> {
  readonly position: bigint
  readonly firstSeenMs: number
}

export interface CacheKey {
  readonly collection: string
  readonly id: ItemId
}

/**
 * Each call is one attempt with a deadline, without retries. A call rejects if the cache is unavailable. It may have
 * taken effect nevertheless.
 */
export interface ItemCache extends AsyncDisposable {
  /** Returns the last fact written for each key. Returns `undefined` for a missing or unreadable entry. */
  read(keys: readonly CacheKey[]): Promise<readonly (Fact | undefined)[]>
  write(entries: readonly (CacheKey & Fact)[]): Promise<void>
  /** Records the position of an epoch. Resolves with the highest position recorded for it. */
  note(now: VersionStamp): Promise<VersionStamp>
}
