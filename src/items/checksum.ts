/**
 * Checksums that a store keeps beside its rows, to detect bytes that changed by themselves: a disk, controller or
 * memory chip flipped bits, or a page was overwritten.
 *
 * The algorithm is CRC-32 (ISO-HDLC, as in zlib). It detects every error of one bit and every burst of at most 32 bits.
 * Of other damage it misses one case in 2^32. It costs a quarter of a SHA-256. It does not protect against deliberate
 * changes, because a writer of rows can also write the checksum.
 */
import { crc32 } from 'node:zlib'

/** A signed 32-bit integer, which is the type `integer` of a database. */
export type Checksum = number

/** The value of one column. Integers up to 2^53. */
export type Part = string | number | null

/** Returns the checksum of a row with few and short columns. It covers the length and the type of each part. */
export function checksumOf(parts: readonly Part[]): Checksum {
  return crc32(parts.map(partText).join('')) | 0
}

function partText(part: Part): string {
  if (part === null) return '-'
  return typeof part === 'number' ? `n${part};` : `s${part.length}:${part}`
}

/** The columns that an item's checksum covers besides its key and its content. */
export interface ItemHead {
  readonly collection: string
  readonly media: string
  readonly firstSeenMs: number
}

/** Computes an item's checksum. `key` is the id in the form of item-key.ts. The content follows it in the checksum. */
export type ItemChecksum = (head: ItemHead, key: Uint8Array, content: Uint8Array) => Checksum

/**
 * Returns a function that computes checksums of items. The function caches the CRC state after the last head, because
 * items that are stored or read together usually have the same head.
 */
export function createItemChecksum(): ItemChecksum {
  const stateOf = createHeadState()
  return (head, key, content) => crc32(content, crc32(key, stateOf(head))) | 0
}

/** Like `createItemChecksum`, for a key that is directly followed by its content in memory. */
export function createJoinedChecksum(): (head: ItemHead, keyAndContent: Uint8Array) => Checksum {
  const stateOf = createHeadState()
  return (head, keyAndContent) => crc32(keyAndContent, stateOf(head)) | 0
}

function createHeadState(): (head: ItemHead) => number {
  let last: ItemHead | undefined
  let state = 0
  return ({ collection, media, firstSeenMs }) => {
    if (last?.firstSeenMs !== firstSeenMs || last.media !== media || last.collection !== collection) {
      last = { collection, media, firstSeenMs }
      state = checksumOf([collection, media, firstSeenMs]) >>> 0
    }
    return state
  }
}
