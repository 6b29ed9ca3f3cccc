/**
 * Whether the cache is worth its question. Where hardly anything is found there (new items, or duplicates that this
 * process knows itself) most large batches go straight to the store, which tells duplicates in bulk quickly too; every
 * SAMPLE-th still asks, to see whether that has changed. A small batch always asks: a commit costs it more.
 */

/** From here on a batch is large. */
const BULK_IDS = 64

/** Below this share of ids found a question costs more than it saves. */
const WORTH = 1 / 32
const SAMPLE = 8
/** The share is that of about so many of the last ids. */
const MEMORY_IDS = 256

export interface CacheYield {
  isWorthAsking(ids: number): boolean
  note(found: number, asked: number): void
}

export function createCacheYield(): CacheYield {
  // in favour of asking, until there is something to judge by
  let share = 1
  let skipped = 0
  return {
    isWorthAsking(ids) {
      if (ids < BULK_IDS || share >= WORTH || ++skipped >= SAMPLE) {
        skipped = 0
        return true
      }
      return false
    },
    note(found, asked) {
      if (asked === 0) return
      // exponential average over ids, so that a batch weighs what it holds
      const kept = Math.exp(-asked / MEMORY_IDS)
      share = share * kept + (found / asked) * (1 - kept)
    },
  }
}
