/**
 * The version of a store, for caches outside the store. A cache entry says "this item is stored". It is valid only
 * while the store still has the timeline in which the entry was written.
 *
 * The version cannot come from the store's data alone, because a restore takes the data back in time. The store
 * therefore compares its data with the server process that serves them.
 *
 * | event                                         | detected by                                            |
 * | --------------------------------------------- | ------------------------------------------------------ |
 * | an older replica is promoted                  | timeline and start time differ from the recorded ones  |
 * | two replicas are promoted to the same         | each recorded its own token when it found the new      |
 * | timeline, one after the other                 | timeline, and the other's data do not hold it          |
 * | a copy of the files is restored               | the server started later than the recorded start       |
 * | recovery to a point in time                   | timeline and start time                                |
 * | a dump is restored, also into the same server | the recorded tables are other tables; system identifier|
 * | a dump of rows alone is restored              | not detected: run `ingot epoch new`                    |
 * | memory and disk of a machine are set back     | the position is below one that was recorded outside    |
 * | together, while the process keeps running     |                                                        |
 * | an item is deleted                            | the collection's counter of deletions                  |
 *
 * Every restart of the server begins an epoch, even if it lost nothing. Otherwise a position in the log would have to
 * prove that nothing was lost, and a restored copy passes that position as soon as it is written to. An invalidated
 * cache costs a lookup. A wrong cache entry would cost an item.
 *
 * Rules for a cache:
 * - Stamp an entry with the version that was read before the put began. A version read later may belong to another
 *   timeline, for example after a commit on a server that was replaced.
 * - Write an entry only after a version that was requested after the commit has been recorded outside the store.
 * - Compare the recorded version with the current one by `sameTimeline`. If it returns false for an equal epoch, call
 *   `beginEpoch`, so that other replicas learn of it.
 * - A version is true only when it is read. Rely on it for the time of a lease.
 */
export interface StoreVersion {
  /** Opaque. A different value means that the store may have another timeline. */
  readonly epoch: string
  /** Progress of the store's history, in a unit of the store. Never falls within an epoch. */
  readonly position: bigint
  /** Number of deletions that removed an item of the collection. Never falls within an epoch. */
  readonly deletes: number
}

/** The part of a version to record outside the store: an epoch, and the highest position seen in it. */
export type VersionStamp = Pick<StoreVersion, 'epoch' | 'position'>

/** Returns true if the history up to `noted` is still part of the store's current history. */
export function sameTimeline(noted: VersionStamp, now: VersionStamp): boolean {
  return noted.epoch === now.epoch && noted.position <= now.position
}

/** Returns the stamp to record after `now` was seen: the highest position of an epoch, or the new epoch. */
export function laterStamp(noted: VersionStamp | undefined, now: VersionStamp): VersionStamp {
  return noted !== undefined && noted.epoch === now.epoch && noted.position > now.position
    ? noted
    : { epoch: now.epoch, position: now.position }
}
