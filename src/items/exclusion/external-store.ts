/**
 * The port of a store that does not enforce uniqueness: two saves of an item store it twice. locked-store.ts, in front
 * of it, ensures that the store receives one save.
 *
 * With fences, a lookup counts as well: after a lookup with a fence, the store refuses lower fences for that item.
 * Therefore no save of an earlier holder can take effect between a later holder's lookup and its save.
 */
import type { Collection, FoundItem, ItemId, PreparedItem } from '../item.ts'

/** `stale`: the store has seen a higher fence for this item. Only the holder of that fence may save it. */
export type Lookup =
  | { readonly kind: 'absent' }
  | { readonly kind: 'found'; readonly firstSeenMs: number }
  | { readonly kind: 'stale' }

export type Save = { readonly kind: 'saved'; readonly firstSeenMs: number } | { readonly kind: 'stale' }

/** The collection of a call, and its fence if the store checks fences. */
export interface CallContext {
  readonly collection: Collection
  readonly fence: bigint | undefined
  readonly signal: AbortSignal
}

export interface ExternalStore extends AsyncDisposable {
  /** True if the store refuses stale fences. */
  readonly fences: boolean
  /** Rejects with IngotError STORE_UNAVAILABLE. */
  find(item: PreparedItem, under: CallContext): Promise<Lookup>
  /** Rejects with IngotError STORE_UNAVAILABLE. The item may have been saved nevertheless. */
  save(item: PreparedItem, under: CallContext, nowMs: number): Promise<Save>
  /** Absent if the store cannot return contents. */
  readonly get?: (collection: string, id: ItemId) => Promise<FoundItem | undefined>
  /** Resolves if the store responds. */
  check(): Promise<void>
}
