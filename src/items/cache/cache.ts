/**
 * The port to a cache of committed ids that many replicas share and that outlives them. It saves the store a look; what
 * makes it unable to lie is not the cache but what its entries say, for a cache may lose, keep, reorder or take back
 * anything:
 *
 *   An entry states a fact of the store's history: "in this epoch, at a position not beyond this one, the item was
 *   committed, put when the collection had this many deletions."
 *
 * A fact of an epoch's history stays one, whenever the entry is written, lost, found again or overwritten by an older
 * one. It says that the item is there now to a reader who knows three things of the store's present, by a lease
 * (version-lease.ts): it is in that epoch, its history has got to that position, and no deletion has been counted since.
 *
 * | what happens                              | why no entry of the lost future is believed                            |
 * | ----------------------------------------- | ---------------------------------------------------------------------- |
 * | the store went back and tells so (store-version.ts)| it is in another epoch, of which it alone made the name                |
 * | it went back and does not know of it      | its position is below the one that was noted here after the commit, so |
 * |                                           | whoever asks next begins an epoch; a note that this cache lost is in   |
 * |                                           | the entry too                                                          |
 * | an item is deleted                        | the count of deletions, once no lease from before is left              |
 * | the commit failed, or nobody knows        | its entry was never written: only after the answer, and only when a    |
 * |                                           | `past` that was asked for after it is in the same epoch                |
 * | the cache loses all, or goes back in time | what it still has are facts                                            |
 */

import type { Mark } from '../freshness/recent-ids.ts'
import type { ItemId } from '../item.ts'
import type { VersionStamp } from '../store-version.ts'

/** What is stated of an item. `position` and the mark: see above. */
export interface Fact extends Pick<Mark, 'epoch' | 'deletes'> {
  readonly position: bigint
  readonly firstSeenMs: number
}

export interface CacheKey {
  readonly collection: string
  readonly id: ItemId
}

/** One attempt each, with a deadline, and no policy: calls reject when the cache is away, and may have been made then. */
export interface ItemCache extends AsyncDisposable {
  /** For each key what was last written, or undefined; what cannot be read is as if absent. */
  read(keys: readonly CacheKey[]): Promise<readonly (Fact | undefined)[]>
  write(entries: readonly (CacheKey & Fact)[]): Promise<void>
  /** Notes how far an epoch has got, and answers the furthest that it knows of. */
  note(now: VersionStamp): Promise<VersionStamp>
}
