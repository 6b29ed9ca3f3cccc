/**
 * The messages between the service's thread and the store's threads. All items of a batch are in one transferred
 * buffer, because cloning them individually would cost more than storing them.
 */
import type { ErrorCode } from '../../../errors/error.ts'
import type { CollectionDeletion, DeleteCollectionOutcome, PurgeStep } from '../../collection-deletion.ts'
import type { ItemOutcome, StoredItem } from '../../item.ts'
import { ITEM_KEY_BYTES, writeItemKey } from '../../item-key.ts'
import type { Receipt } from '../../receipt.ts'
import type { DefineOutcome, IdempotencyRequest, Unit, UnitOutcome } from '../../store.ts'
import type { StoreVersion } from '../../store-version.ts'

export interface PackedUnit {
  readonly collection: string
  readonly policy: string
  readonly count: number
  readonly idempotency?: IdempotencyRequest
}

/**
 * `bytes` has, for each item: the length of the content and the index of the media type (4 bytes each), the key (34
 * bytes), the content.
 */
export interface PackedBatch {
  readonly units: readonly PackedUnit[]
  readonly media: readonly string[]
  readonly bytes: Uint8Array<ArrayBuffer>
}

const ITEM_HEAD_BYTES = ITEM_KEY_BYTES + 8

export function packBatch(units: readonly Unit[], policyText: (unit: Unit) => string): PackedBatch {
  const media = new Map<string, number>()
  const bytes = Buffer.from(new ArrayBuffer(packedSize(units)))
  let offset = 0
  for (const unit of units) {
    for (const item of unit.items) {
      if (!media.has(item.media)) media.set(item.media, media.size)
      offset = bytes.writeUInt32LE(item.content.length, offset)
      offset = bytes.writeUInt32LE(media.get(item.media) ?? 0, offset)
      offset = writeItemKey(item.id, bytes, offset)
      bytes.set(item.content, offset)
      offset += item.content.length
    }
  }
  const packed = units.map((unit): PackedUnit => {
    const head = { collection: unit.collection.name, policy: policyText(unit), count: unit.items.length }
    return unit.idempotency === undefined ? head : { ...head, idempotency: unit.idempotency }
  })
  return { units: packed, media: [...media.keys()], bytes }
}

function packedSize(units: readonly Unit[]): number {
  let size = 0
  for (const unit of units) for (const item of unit.items) size += ITEM_HEAD_BYTES + item.content.length
  return size
}

/** Views into the batch's buffer. */
export interface PackedItem {
  readonly key: Uint8Array
  readonly media: string
  readonly content: Uint8Array
  /** Key and content together, as they are in the buffer. */
  readonly keyAndContent: Uint8Array
}

/** Reads the items of a batch, unit by unit. */
export function createItemReader(batch: PackedBatch): { next(count: number): readonly PackedItem[] } {
  const { buffer, byteOffset, byteLength } = batch.bytes
  const bytes = Buffer.from(buffer, byteOffset, byteLength)
  let offset = 0
  function read(): PackedItem {
    const length = bytes.readUInt32LE(offset)
    const media = batch.media[bytes.readUInt32LE(offset + 4)] ?? ''
    const start = offset + ITEM_HEAD_BYTES
    const keyStart = start - ITEM_KEY_BYTES
    offset = start + length
    return {
      key: bytes.subarray(keyStart, start),
      media,
      content: bytes.subarray(start, offset),
      keyAndContent: bytes.subarray(keyStart, offset),
    }
  }
  return { next: (count) => Array.from({ length: count }, read) }
}

/** Outcomes as numbers: the first-seen time, negative for a duplicate. */
export type PackedOutcome =
  | { readonly kind: 'stored'; readonly firstSeen: Float64Array; readonly receipt?: Receipt }
  | Exclude<UnitOutcome, { kind: 'stored' }>

export function unpackItemOutcome(firstSeen: number): ItemOutcome {
  return firstSeen >= 0
    ? { kind: 'created', firstSeenMs: firstSeen }
    : { kind: 'duplicate', firstSeenMs: -firstSeen, foundBy: 'store' }
}

export function unpackOutcome(packed: PackedOutcome): UnitOutcome {
  if (packed.kind !== 'stored') return packed
  const outcomes = Array.from(packed.firstSeen, unpackItemOutcome)
  return packed.receipt === undefined
    ? { kind: 'stored', outcomes }
    : { kind: 'stored', outcomes, receipt: packed.receipt }
}

/** An item with its place. */
export interface PlacedItem {
  readonly place: number
  readonly item: StoredItem
}

export interface PlacedPage {
  readonly items: readonly PlacedItem[]
  /** True if there are further items. */
  readonly more: boolean
}

/** A row of a list of collections. */
export interface PackedCollection {
  readonly name: string
  /** The policy as JSON text. */
  readonly policy: string
  readonly estimatedItems: number
}

/** The methods of a thread. */
export interface Methods {
  put: { args: { batch: PackedBatch; nowMs: number }; result: readonly PackedOutcome[] }
  /** The policy as JSON text. */
  collection: { args: { name: string }; result: string | undefined }
  /** At most `limit` collections after the name `after`, in the order of their names. */
  collections: { args: { after: string; limit: number }; result: readonly PackedCollection[] }
  define: { args: { name: string; policy: string }; result: DefineOutcome }
  get: { args: { collection: string; key: Uint8Array }; result: StoredItem | undefined }
  list: { args: { collection: string; after: number; limit: number }; result: PlacedPage }
  delete: { args: { collection: string; key: Uint8Array }; result: boolean }
  deleteCollection: { args: { collection: string; nowMs: number }; result: DeleteCollectionOutcome }
  deletion: { args: { collection: string; id: string }; result: CollectionDeletion | undefined }
  purge: { args: { nowMs: number; after?: string | undefined }; result: PurgeStep }
  version: { args: { collection: string }; result: StoreVersion }
  beginEpoch: { args: object; result: string }
  check: { args: object; result: undefined }
  close: { args: object; result: undefined }
}

export type Method = keyof Methods

/** Each request gets exactly one response with its number. */
export type Request = {
  [M in Method]: { readonly seq: number; readonly method: M; readonly args: Methods[M]['args'] }
}[Method]

export type Response =
  | { readonly seq: number; readonly ok: true; readonly value: unknown }
  | { readonly seq: number; readonly ok: false; readonly code: ErrorCode; readonly message: string }
