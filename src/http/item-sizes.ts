/** Counts the sizes of items. One addition per item, because a histogram of prom-client costs more than reading a small item. */
import type { RawContent } from '../items/prepare.ts'
import type { Metrics } from '../telemetry/metrics.ts'

export interface ItemSizes {
  add(contents: readonly RawContent[]): void
}

/** Exponents of the smallest and the greatest bucket: 64 bytes to 16 MiB, in steps of four. */
const FIRST = 6
const STEP = 2
const BUCKETS = 10

/** Registers the histogram of item sizes. Throws on a second call with the same registry. */
export function createItemSizes(metrics: Metrics): ItemSizes {
  const counts = Array.from({ length: BUCKETS + 1 }, () => 0)
  let sum = 0
  metrics.histogramOf(
    {
      name: 'ingot_item_bytes',
      help: 'Sizes of items as they were received, duplicates and refused items included.',
      buckets: Array.from({ length: BUCKETS }, (_, at) => 2 ** (FIRST + STEP * at)),
    },
    () => ({ counts, sum }),
  )
  return {
    add(contents) {
      for (const one of contents) {
        if ('refused' in one) continue
        const { length } = one.content
        sum += length
        const at = bucketOf(length)
        counts[at] = (counts[at] ?? 0) + 1
      }
    },
  }
}

/** Returns the index of the first bucket that is not smaller than the size. */
function bucketOf(bytes: number): number {
  // the exponent of the next power of two
  const exponent = bytes <= 1 ? 0 : 32 - Math.clz32(bytes - 1)
  return Math.min(BUCKETS, Math.max(0, Math.ceil((exponent - FIRST) / STEP)))
}
