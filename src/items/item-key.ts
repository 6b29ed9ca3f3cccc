/** The binary form of an id in stores: the two characters of its version, then the 32 bytes of the digest. */
import type { ItemId } from './item.ts'

export const ITEM_KEY_BYTES = 34

/** Writes the key of a well-formed id at `offset`. Returns the offset after it. */
export function writeItemKey(id: ItemId, into: Buffer, offset: number): number {
  // two characters: one call of write() costs as much as for the complete text
  into[offset] = id.charCodeAt(0)
  into[offset + 1] = id.charCodeAt(1)
  into.write(id.slice(3), offset + 2, 32, 'hex')
  return offset + ITEM_KEY_BYTES
}

export function itemKey(id: ItemId): Buffer {
  const key = Buffer.allocUnsafe(ITEM_KEY_BYTES)
  writeItemKey(id, key, 0)
  return key
}

export function itemIdOfKey(key: Uint8Array): ItemId {
  const bytes = Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength)
  return `${String.fromCharCode(bytes[0] ?? 0, bytes[1] ?? 0)}-${bytes.toString('hex', 2)}`
}
