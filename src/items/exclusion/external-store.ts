/**
 * The port to a store that cannot refuse a duplicate: it looks, and it saves, and it saves twice when told twice. What
 * stands in front of it (locked-store.ts) makes sure that nobody tells it twice.
 *
 * With fences the look is part of the promise: once a look has shown a fence, the store refuses lower ones for that
 * item, so that no save of an earlier holder can land between a later holder's look and its save.
 */
import type { Collection, FoundItem, ItemId, PreparedItem } from '../item.ts'

/** `stale`: a higher fence was shown for this item; its holder decides now. */
export type Lookup =
  | { readonly kind: 'absent' }
  | { readonly kind: 'found'; readonly firstSeenMs: number }
  | { readonly kind: 'stale' }

export type Save = { readonly kind: 'saved'; readonly firstSeenMs: number } | { readonly kind: 'stale' }

/** What every call says: for which collection, and under which fence, when there are fences. */
export interface CallContext {
  readonly collection: Collection
  readonly fence: bigint | undefined
  readonly signal: AbortSignal
}

export interface ExternalStore extends AsyncDisposable {
  /** Whether it refuses stale fences. */
  readonly fences: boolean
  /** Rejects with IngotError STORE_UNAVAILABLE. */
  find(item: PreparedItem, under: CallContext): Promise<Lookup>
  /** Rejects with IngotError STORE_UNAVAILABLE; the item may have been saved all the same. */
  save(item: PreparedItem, under: CallContext, nowMs: number): Promise<Save>
  /** Absent if the store cannot return contents. */
  readonly get?: (collection: string, id: ItemId) => Promise<FoundItem | undefined>
  /** Resolves if the store responds. */
  check(): Promise<void>
}
