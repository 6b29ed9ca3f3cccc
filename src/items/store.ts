/**
 * The port of stores. Only the store decides whether an item is a duplicate. It decides in the transaction that would
 * save the item, from durable data. Caches and locks in front of the store save it work, but never decide.
 *
 * The port has five parts: writer, reader, admin, collection remover (collection-deletion.ts) and versioned. `ItemStore`
 * has them all. `ServiceStore` is what the
 * service needs: a store of an external API cannot list, delete or version its items, so it omits those methods.
 *
 * The contract suite enforces these rules for every store:
 * - `put` resolves when everything in it is durable. It is one transaction: if it rejects, nothing of it is stored.
 * - Within one `put` the units are processed in order. An id that an earlier unit created is a duplicate for a later
 *   one.
 * - The receipt of an Idempotency-Key is written in the same transaction as the items.
 * - `get` and `list` return the stored items byte for byte, or reject with IngotError STORE_CORRUPT.
 * - Every method may reject with IngotError STORE_UNAVAILABLE. Then the outcome is unknown, and the caller may repeat.
 */

import { IngotError } from '../errors/error.ts'
import type { IdentityPolicy } from '../identity/policy.ts'
import type { CollectionRemover } from './collection-deletion.ts'
import type { Collection, FoundItem, ItemId, ItemOutcome, PreparedItem, StoredItem } from './item.ts'
import type { Receipt, ReceiptForm } from './receipt.ts'
import type { StoreVersion } from './store-version.ts'

/** A client's Idempotency-Key, which is stored together with the response. */
export interface IdempotencyRequest {
  /** Name of the caller. Two callers may use the same key independently. */
  readonly scope: string
  readonly key: string
  /** SHA-256, in hex, of everything that two equal requests have in common. */
  readonly fingerprint: string
  readonly expiresAtMs: number
  readonly form: ReceiptForm
}

/** Items that are stored together or not at all. */
export interface Unit {
  readonly collection: Collection
  /** Distinct ids, computed under the collection's policy. */
  readonly items: readonly PreparedItem[]
  readonly idempotency?: IdempotencyRequest
}

export type UnitOutcome =
  /** Outcomes in the order of the unit's items. Duplicates have `foundBy: 'store'`. */
  | { readonly kind: 'stored'; readonly outcomes: readonly ItemOutcome[]; readonly receipt?: Receipt }
  /** The key was used before, for the same request. Nothing was stored now. */
  | { readonly kind: 'replayed'; readonly receipt: Receipt }
  /** The key was used before, for another request. Nothing was stored. */
  | { readonly kind: 'key-reused' }
  /** The key was used before, and its receipt is damaged. Nothing was stored. */
  | { readonly kind: 'receipt-damaged' }
  /** The collection's policy is not the one that the unit's ids were computed under. Nothing of the unit was stored. */
  | { readonly kind: 'policy-changed' }

export type DefineOutcome = 'defined' | 'unchanged' | 'immutable'

export interface PageRequest {
  /** `next` of the previous page. Default: the first page. */
  readonly after?: string
  /** Maximum number of items, 1 to 1000. */
  readonly limit: number
}

export interface Page {
  readonly items: readonly StoredItem[]
  /** Cursor of the next page. Absent on the last page. */
  readonly next?: string
}

/** A collection in a list of collections. */
export interface ListedCollection extends Collection {
  /** Number of items: exact if it is small, otherwise an estimate (estimate.ts). Absent if the store cannot tell. */
  readonly estimatedItems?: number
}

export interface CollectionPage {
  readonly collections: readonly ListedCollection[]
  /** Cursor of the next page. Absent on the last page. */
  readonly next?: string
}

/** The capabilities of a store. `storeCapabilities` fills in the defaults, which are safe for every store. */
export interface StoreCapabilities {
  /** The store itself refuses duplicates, across all writers. Default: false. */
  readonly enforcesUniqueness: boolean
  /** Only this process changes the store, so this process sees every deletion. Default: false. */
  readonly singleWriter: boolean
  /** The store keeps the receipts of Idempotency-Keys. Default: false. */
  readonly keepsReceipts: boolean
  /** Maximum number of concurrent `put` calls that increase throughput. Default: 1. */
  readonly parallelPuts: number
}

const DEFAULTS: StoreCapabilities = {
  enforcesUniqueness: false,
  singleWriter: false,
  keepsReceipts: false,
  parallelPuts: 1,
}

/** Returns the given capabilities, with the documented default for each one that is missing. */
export function storeCapabilities(given: Partial<StoreCapabilities>): StoreCapabilities {
  return { ...DEFAULTS, ...given }
}

export interface StoreWriter {
  readonly capabilities: StoreCapabilities
  /** Stores units at wall time `nowMs`. An unknown collection is created with the policy of its unit. */
  put(units: readonly Unit[], nowMs: number): Promise<readonly UnitOutcome[]>
}

export interface StoreReader {
  /** Resolves to `undefined` for an unknown collection. */
  collection(name: string): Promise<Collection | undefined>
  /** Returns collections in the order of their names, also empty ones. The cursor is the last name. */
  collections(page: PageRequest): Promise<CollectionPage>
  /** Resolves to `undefined` if the collection has no such item. */
  get(collection: string, id: ItemId): Promise<FoundItem | undefined>
  /** Returns items in order of creation. Items created while a client pages come last. No item is skipped. */
  list(collection: string, page: PageRequest): Promise<Page>
  /** Resolves if the store itself would accept a write now. Locks in front of the store are not checked. */
  check(): Promise<void>
}

export interface StoreAdmin {
  /** Sets the policy of a collection. Resolves to `immutable` if the collection holds items under another policy. */
  define(name: string, policy: IdentityPolicy): Promise<DefineOutcome>
  /** Resolves to true if the item existed. After that, the same content is new. */
  delete(collection: string, id: ItemId): Promise<boolean>
}

/** Lets caches outside the store check whether their entries are still valid. */
export interface VersionedStore {
  /** Returns the version of the store and of one collection. An unknown collection has no deletions. */
  version(collection: string): Promise<StoreVersion>
  /** Begins a new epoch, durably, and returns its name. */
  beginEpoch(): Promise<string>
}

export interface ItemStore
  extends StoreWriter,
    StoreReader,
    StoreAdmin,
    CollectionRemover,
    VersionedStore,
    AsyncDisposable {}

/** What is known of a stored item without its content. */
export type FoundMark = Pick<FoundItem, 'id' | 'firstSeenMs'>

type OptionalMethods = Pick<StoreReader, 'collections' | 'get' | 'list'> &
  StoreAdmin &
  CollectionRemover &
  VersionedStore

/** A method that a store of the service may omit. */
export type OptionalMethod = keyof OptionalMethods

/** A store that the service can run on. Every `ItemStore` is one. */
export interface ServiceStore
  extends StoreWriter,
    Pick<StoreReader, 'collection' | 'check'>,
    Partial<OptionalMethods>,
    AsyncDisposable {
  /**
   * Finds out whether an item is stored, and saves nothing. For a store that can find items but not return them. Default:
   * `get`.
   */
  readonly find?: (collection: Collection, item: PreparedItem) => Promise<FoundMark | undefined>
  /** Reasons for clients why the store omits a method. Default: a general sentence. */
  readonly omitted?: Readonly<Partial<Record<OptionalMethod, string>>>
}

/** Returns true if the store has the method. */
export function hasMethod<Method extends OptionalMethod>(
  store: ServiceStore,
  method: Method,
): store is ServiceStore & Pick<OptionalMethods, Method> {
  return store[method] !== undefined
}

export function isVersioned(store: ServiceStore): store is ServiceStore & VersionedStore {
  return hasMethod(store, 'version') && hasMethod(store, 'beginEpoch')
}

/** Returns true if the store can delete collections. */
export function removesCollections(store: ServiceStore): store is ServiceStore & CollectionRemover {
  return hasMethod(store, 'deleteCollection') && hasMethod(store, 'deletion') && hasMethod(store, 'purge')
}

/** Returns the store itself. Throws IngotError UNSUPPORTED if it omits the method. */
export function storeWith<Method extends OptionalMethod>(
  store: ServiceStore,
  method: Method,
): ServiceStore & Pick<OptionalMethods, Method> {
  if (hasMethod(store, method)) return store
  throw new IngotError('UNSUPPORTED', store.omitted?.[method] ?? `this store does not support "${method}"`)
}
