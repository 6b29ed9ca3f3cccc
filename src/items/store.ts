/**
 * The port to where items live. A store is the only judge of what is a duplicate: it says so after looking at durable
 * data, in the transaction that would have saved the item. Caches and locks above it may save it work, never decide.
 *
 * Rules that the contract suite holds every store to:
 * - `put` returns after everything in it is durable, or throws and nothing of it is stored: one transaction.
 * - Within one `put` units are taken in order; an id that an earlier unit created is a duplicate for a later one.
 * - An Idempotency-Key's receipt is written in the same transaction as the items.
 * - `get` and `list` return what was stored, byte for byte, or throw IngotError STORE_CORRUPT.
 * - Every method may throw IngotError STORE_UNAVAILABLE; after it the outcome is unknown and the caller may repeat.
 */
import type { IdentityPolicy } from '../identity/policy.ts'
import type { Collection, FoundItem, ItemId, ItemOutcome, PreparedItem, StoredItem } from './item.ts'
import type { Receipt, ReceiptForm } from './receipt.ts'
import type { StoreVersion } from './store-version.ts'

/** A client's Idempotency-Key, to be kept with the answer. */
export interface IdempotencyRequest {
  /** Who sent it: keys of different callers never meet. */
  readonly scope: string
  readonly key: string
  /** SHA-256 in hex of all that makes two requests the same. */
  readonly fingerprint: string
  readonly expiresAtMs: number
  readonly form: ReceiptForm
}

/** What is stored together. */
export interface Unit {
  readonly collection: Collection
  /** Distinct ids, computed under the collection's policy. */
  readonly items: readonly PreparedItem[]
  readonly idempotency?: IdempotencyRequest
}

export type UnitOutcome =
  /** Outcomes in the order of the unit's items; a duplicate is found by `store`. */
  | { readonly kind: 'stored'; readonly outcomes: readonly ItemOutcome[]; readonly receipt?: Receipt }
  /** The claim's key was used for the same request before: nothing was stored now. */
  | { readonly kind: 'replayed'; readonly receipt: Receipt }
  /** The claim's key was used for another request: nothing was stored. */
  | { readonly kind: 'key-reused' }
  /** The claim's key was used before, and what was kept under it is damaged: nothing was stored. */
  | { readonly kind: 'receipt-damaged' }
  /** The collection has another policy than the unit's ids were made under: nothing of the unit was stored. */
  | { readonly kind: 'policy-changed' }

export type DefineOutcome = 'defined' | 'unchanged' | 'immutable'

export interface PageRequest {
  /** Cursor of the page before; absent for the first. */
  readonly after?: string
  /** At most so many items, 1 to 1000. */
  readonly limit: number
}

export interface Page {
  readonly items: readonly StoredItem[]
  /** Cursor of the next page; absent on the last. */
  readonly next?: string
}

export interface StoreCapabilities {
  /** Refuses a duplicate by itself, whoever sends it. */
  readonly enforcesUniqueness: boolean
  /** Whether this process alone changes the store, so that it knows of every deletion. */
  readonly singleWriter: boolean
  /** How many `put` calls are worth having under way at once. */
  readonly parallelPuts: number
}

/** For those who keep knowledge of a store elsewhere. */
export interface VersionedStore {
  /** Of the store and of one collection; an unknown one has no deletions. */
  version(collection: string): Promise<StoreVersion>
  /** Begins a new epoch, durably, and says which. */
  beginEpoch(): Promise<string>
}

export interface ItemStore extends VersionedStore, AsyncDisposable {
  readonly capabilities: StoreCapabilities
  /** Stores units at wall time `nowMs`. A collection not yet known comes to be with its unit's policy. */
  put(units: readonly Unit[], nowMs: number): Promise<readonly UnitOutcome[]>
  collection(name: string): Promise<Collection | undefined>
  /** Sets the policy of a collection; `immutable` when it holds items under another. */
  define(name: string, policy: IdentityPolicy): Promise<DefineOutcome>
  get(collection: string, id: ItemId): Promise<FoundItem | undefined>
  /** Items in the order of their creation. An item created while paging may come last; none is left out. */
  list(collection: string, page: PageRequest): Promise<Page>
  /** Whether there was such an item. Afterwards the same content is new. */
  delete(collection: string, id: ItemId): Promise<boolean>
  /** Resolves when the store itself would take a write now. Locks in front of it are not asked. */
  check(): Promise<void>
}
