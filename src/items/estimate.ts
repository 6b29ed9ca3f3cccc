/**
 * Estimates how many items a collection has, from its smallest ids. Ids are SHA-256 digests, so they are spread evenly:
 * if the k-th smallest of n digests lies at the fraction u of their range, n is about (k - 1) / u. The standard error is
 * 1 / sqrt(k), here 6 %. Source: Bar-Yossef et al., "Counting distinct elements in a data stream", 2002; the unbiased
 * form is from Beyer et al., "On synopses for distinct-value estimation", 2007.
 *
 * A store reads the smallest ids from its unique index. This costs the same for any number of items, needs no counter in
 * the path of saves, and is right after deletions.
 */
import { ID_VERSIONS } from '../identity/content-id.ts'

/** Number of ids of each kind that an estimate reads. A collection with fewer is counted exactly. */
export const SAMPLE_IDS = 256

/** The smallest ids of one kind in a collection. */
export interface IdSample {
  /** Number of ids that were read, at most SAMPLE_IDS. */
  readonly count: number
  /** Binary key of the last one (item-key.ts). Absent if there is none. */
  readonly last?: Uint8Array | undefined
}

/** The keys of one kind of id: at or above `from` and below `to`. Kinds are sampled one by one. */
export interface KeyRange {
  readonly from: Uint8Array
  readonly to: Uint8Array
}

export const KEY_RANGES: readonly KeyRange[] = ID_VERSIONS.map((version) => {
  const from = Buffer.from(version, 'latin1')
  const to = Buffer.from(from)
  to[1] = (from[1] ?? 0) + 1
  return { from, to }
})

/** Returns the number of items of a collection, from one sample for each of KEY_RANGES. */
export function estimateItems(samples: readonly IdSample[]): number {
  return samples.reduce((sum, sample) => sum + itemsOf(sample), 0)
}

/** Leading bytes of a digest that are read as its fraction. A double represents 48 bits exactly. */
const FRACTION_BYTES = 6

function itemsOf({ count, last }: IdSample): number {
  if (count < SAMPLE_IDS || last === undefined) return count
  const digest = Buffer.from(last.buffer, last.byteOffset, last.byteLength).subarray(2)
  const fraction = (digest.readUIntBE(0, FRACTION_BYTES) + 1) / 2 ** (8 * FRACTION_BYTES)
  return Math.max(count, Math.round((count - 1) / fraction))
}
