/**
 * The deletion of a collection: of all its items, whose number is unlimited. It has two parts.
 *
 * 1. The cut, `deleteCollection`, is one short transaction. It detaches all items from the name of the collection. From
 *    then on no method finds them, and every content is new. Its cost does not depend on the number of items.
 * 2. The purge removes the detached items from the disk, in bounded transactions. The store records its progress, so any
 *    replica can continue it, also after a restart.
 *
 * The collection itself stays, with its policy and its count of deletions. The count must never fall, because caches rely
 * on it. The policy must not change under clients that continue to save.
 */

export interface CollectionDeletion {
  /** Unique in the store, also after a restart. */
  readonly id: string
  readonly collection: string
  /** Wall time of the cut, in milliseconds. */
  readonly startedMs: number
  /** Wall time of the end of the purge. Absent while the purge has not ended. */
  readonly endedMs?: number
  /** Number of items that the purge has removed from the disk so far. */
  readonly deletedItems: number
}

export type DeleteCollectionOutcome =
  | { readonly kind: 'started'; readonly deletion: CollectionDeletion }
  /** The collection has no items since the cut of a deletion whose purge has not ended. */
  | { readonly kind: 'joined'; readonly deletion: CollectionDeletion }
  /** The collection has no items, and no purge of it is left to do. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'unknown' }
  /** MAX_OPEN_DELETIONS purges have not ended. Nothing was deleted. */
  | { readonly kind: 'busy' }

export interface PurgeStep {
  /** The deletion that this step continued. Absent if there is none, or if other replicas are at work on all. */
  readonly deletion?: string
  /** Number of items that this step removed. */
  readonly removed: number
  /** Number of deletions whose purge has not ended. */
  readonly open: number
}

/** Part of the port of stores (store.ts). */
export interface CollectionRemover {
  /** Makes the cut, at wall time `nowMs`. Items that are put later are not part of the deletion. */
  deleteCollection(collection: string, nowMs: number): Promise<DeleteCollectionOutcome>
  /** Resolves to `undefined` for an unknown deletion, and for one that ended long ago (ENDED_DELETIONS). */
  deletion(collection: string, id: string): Promise<CollectionDeletion | undefined>
  /**
   * Removes some detached items in one bounded transaction, at wall time `nowMs`. Continues the deletion that follows
   * `after` in a fixed cycle, so that a large deletion does not delay small ones. Default: the first one.
   */
  purge(nowMs: number, after?: string): Promise<PurgeStep>
}

/** Maximum number of deletions whose purge has not ended. */
export const MAX_OPEN_DELETIONS = 32

/** Number of ended deletions that a store remembers at least. */
export const ENDED_DELETIONS = 1_000

/** Items per step of a purge: at most this many, and fewer once their contents reach PURGE_BYTES. */
export const PURGE_ITEMS = 500
export const PURGE_BYTES = 4 * 1_024 * 1_024

/** Returns the first of `open` that follows `after` in the cycle of ascending numbers. */
export function nextInCycle(open: readonly number[], after: number): number | undefined {
  return open.find((id) => id > after) ?? open[0]
}
