/**
 * The words of ingestion. An item is content in a collection; its id is derived from the content, so that whoever
 * meets the same content anywhere computes the same id without asking.
 */

import type { IngotError } from '../errors/error.ts'
import type { IdentityPolicy } from '../identity/policy.ts'

/** `<version>-<64 hex digits>`, see identity/content-id.ts. */
export type ItemId = string

/** Content with its id, ready to be stored. */
export interface PreparedItem {
  readonly id: ItemId
  /** Media type that `content` is served with. */
  readonly media: string
  /** The bytes as they came, not the canonical form. */
  readonly content: Uint8Array
}

export interface StoredItem extends PreparedItem {
  /** Wall time of the commit that created it, milliseconds since the Unix epoch. */
  readonly firstSeenMs: number
}

/** An item that was asked for by its id. */
export interface FoundItem extends PreparedItem {
  /** As of a `StoredItem`; absent when the store cannot tell. */
  readonly firstSeenMs?: number
}

export interface Collection {
  readonly name: string
  readonly policy: IdentityPolicy
}

/**
 * What told us that an item is a duplicate: an earlier item of the same request, a request that was being saved,
 * this process's memory of committed items, the shared cache, or the store itself.
 */
export type FoundBy = 'batch' | 'inflight' | 'memory' | 'cache' | 'store'

export type ItemOutcome =
  | { readonly kind: 'created'; readonly firstSeenMs: number }
  | { readonly kind: 'duplicate'; readonly firstSeenMs: number; readonly foundBy: FoundBy }

/** What became of one content of a submission, in the order sent. */
export type ItemResult =
  | (ItemOutcome & { readonly id: ItemId })
  | { readonly kind: 'refused'; readonly fault: IngotError }

/** The form of a collection's name: 1 to 64 of a-z 0-9 . _ - beginning with a letter or digit. */
export const COLLECTION_NAME_PATTERN = '^[a-z0-9][a-z0-9._-]{0,63}$'
