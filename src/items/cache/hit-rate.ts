/**
 * Decides whether a batch is looked up in the cache. If the cache finds hardly any ids (new items, or duplicates that
 * this process knows itself), most large batches skip it, because the store recognises duplicates in bulk quickly too.
 * Every SAMPLE-th large batch is still looked up, to detect a change. A small batch is always looked up, because a
 * commit costs it more.
 */

/** Smallest size of a large batch. */
const BULK_IDS = 64

/** Share of found ids below which a lookup costs more than it saves. */
const WORTH = 1 / 32
const SAMPLE = 8
/** The share covers about this many of the last ids. */
const MEMORY_IDS = 256

export interface HitRate {
  isWorthReading(ids: number): boolean
  record(found: number, asked: number): void
}

export function createHitRate(): HitRate {
  // look up everything until there is data
  let share = 1
  let skipped = 0
  return {
    isWorthReading(ids) {
      if (ids < BULK_IDS || share >= WORTH || ++skipped >= SAMPLE) {
        skipped = 0
        return true
      }
      return false
    },
    record(found, asked) {
      if (asked === 0) return
      // exponential average over ids, so that a batch counts by its size
      const kept = Math.exp(-asked / MEMORY_IDS)
      share = share * kept + (found / asked) * (1 - kept)
    },
  }
}
