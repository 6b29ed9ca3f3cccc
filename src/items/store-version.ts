/**
 * What a store says of its past, for whoever keeps knowledge of it elsewhere: a cache entry that says "this item is
 * stored" may only be believed while the store still has the past in which it was written.
 *
 * A store cannot keep that knowledge in its data alone, for the data go back in time with it. It compares its data with
 * what does not go back: the process that serves them.
 *
 * | what happens                                  | what tells                                             |
 * | --------------------------------------------- | ------------------------------------------------------ |
 * | an older replica is promoted                  | timeline and start time differ from the noted ones     |
 * | two replicas are promoted to the same         | each noted its own token when it found the new         |
 * | timeline, one after the other                 | timeline; the other's data do not hold it              |
 * | a copy of the files is restored               | the server started later than the noted start          |
 * | recovery to a point in time                   | timeline and start time                                |
 * | a dump is restored, into the same server too  | the noted tables are other tables; system identifier   |
 * | a dump of rows alone is restored              | nothing: `ingot epoch new`                             |
 * | a machine's memory and disk are set back      | the position is below one that was noted outside       |
 * | together, the process living on               |                                                        |
 * | an item is deleted                            | the collection's counter                               |
 *
 * Every restart of the server begins an epoch, also one that lost nothing: to tell the two apart one would have to
 * trust a position in the log, which a restored copy passes again as soon as it is written to. A forgotten cache costs
 * a look; a believed one would cost an item.
 *
 * Rules for who keeps such knowledge:
 * - Mark it with the past that was read before the put began. (After it may already be another past: a commit on a
 *   server that is no longer the store would be marked with the new one.)
 * - Keep it only once a `past` that began after the commit has been noted outside the store.
 * - Compare what was noted with what is by `sameTimeline`; when that says no for an equal epoch, call `beginEpoch`, so
 *   that the others hear of it.
 * - A look is true for the moment it was taken: how long it may be relied on is a lease, which the keeper bounds.
 */
export interface StoreVersion {
  /** Opaque. Another value: the store's past may be another one. */
  readonly epoch: string
  /** How far its history has got, in a unit of the store's own. Never falls in an epoch. */
  readonly position: bigint
  /** Deletions in the collection that removed something. Never falls in an epoch. */
  readonly deletes: number
}

/** What is worth noting outside the store: an epoch and the highest position seen in it. */
export type VersionStamp = Pick<StoreVersion, 'epoch' | 'position'>

/** Whether what was known at `noted` is still part of the history that the store now tells. */
export function sameTimeline(noted: VersionStamp, now: VersionStamp): boolean {
  return noted.epoch === now.epoch && noted.position <= now.position
}

/** What to note after seeing `now`: of one epoch the highest position, else the new epoch. */
export function laterStamp(noted: VersionStamp | undefined, now: VersionStamp): VersionStamp {
  return noted !== undefined && noted.epoch === now.epoch && noted.position > now.position
    ? noted
    : { epoch: now.epoch, position: now.position }
}
