/**
 * Checksums that a store keeps beside its rows, to notice bytes that changed by themselves: a disk, a controller or a
 * memory chip that flips bits, a page that was overwritten.
 *
 * CRC-32 (ISO-HDLC, as in zlib): it notices every error of one bit, every burst of at most 32 bits, and of any other
 * damage all but one in 2^32. It costs a quarter of a SHA-256. It does not protect against a person who changes a row
 * on purpose: who can write a row can write its checksum.
 */
import { crc32 } from 'node:zlib'

/** Signed, 32 bits: the type `integer` of a database. */
export type Checksum = number

/** A row's column. Integers up to 2^53. */
export type Part = string | number | null

/** The checksum of a row of few and short columns. The length and the kind of each part count. */
export function checksumOf(parts: readonly Part[]): Checksum {
  return crc32(parts.map(partText).join('')) | 0
}

function partText(part: Part): string {
  if (part === null) return '-'
  return typeof part === 'number' ? `n${part};` : `s${part.length}:${part}`
}

/** What an item's checksum covers, besides its key and its content. */
export interface ItemHead {
  readonly collection: string
  readonly media: string
  readonly firstSeenMs: number
}

/** `key` is the id as item-key.ts writes it; the content follows it in the checksum. */
export type ItemChecksum = (head: ItemHead, key: Uint8Array, content: Uint8Array) => Checksum

/**
 * Returns a function for the checksums of items. It keeps the state behind the last head: items that are stored or read
 * together mostly have the same one.
 */
export function createItemChecksum(): ItemChecksum {
  const stateOf = createHeadState()
  return (head, key, content) => crc32(content, crc32(key, stateOf(head))) | 0
}

/** As `createItemChecksum`, for a key with its content behind it in one piece of memory. */
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
