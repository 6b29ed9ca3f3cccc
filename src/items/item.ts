/**
 * The model of ingestion. An item is content in a collection. Its id is derived from the content alone, so every client
 * computes the same id for the same content.
 */

import type { IngotError } from '../errors/error.ts'
import type { IdentityPolicy } from '../identity/policy.ts'

/** `<version>-<64 hex digits>`. See identity/content-id.ts. */
export type ItemId = string

/** Content with its id, ready to be stored. */
export interface PreparedItem {
  readonly id: ItemId
  /** Media type that `content` is served with. */
  readonly media: string
  /** The bytes as they were sent, not the canonical form. */
  readonly content: Uint8Array
}

export interface StoredItem extends PreparedItem {
  /** Wall time of the commit that created the item, in milliseconds since the Unix epoch. */
  readonly firstSeenMs: number
}

/** An item that was looked up by its id. */
export interface FoundItem extends PreparedItem {
  /** As in `StoredItem`. Absent if the store does not know it. */
  readonly firstSeenMs?: number
}

export interface Collection {
  readonly name: string
  readonly policy: IdentityPolicy
}

/**
 * Where an item was recognised as a duplicate: among earlier items of the same request (`batch`), among requests in
 * flight (`inflight`), in this process's memory of committed ids (`memory`), in the shared cache (`cache`), or in the
 * store (`store`).
 */
export type FoundBy = 'batch' | 'inflight' | 'memory' | 'cache' | 'store'

export type ItemOutcome =
  | { readonly kind: 'created'; readonly firstSeenMs: number }
  | { readonly kind: 'duplicate'; readonly firstSeenMs: number; readonly foundBy: FoundBy }

/** The result of one content of a submission. Results have the order of the contents. */
export type ItemResult =
  | (ItemOutcome & { readonly id: ItemId })
  | { readonly kind: 'refused'; readonly error: IngotError }

/** Regular expression for collection names: 1 to 64 of a-z 0-9 . _ - beginning with a letter or digit. */
export const COLLECTION_NAME_PATTERN = '^[a-z0-9][a-z0-9._-]{0,63}$'
