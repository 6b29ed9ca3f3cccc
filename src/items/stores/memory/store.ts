/**
 * The executable specification of a store, without durability. Tests use it, and it allows trying ingot without leaving
 * data behind. Every method is one synchronous step, which makes it a transaction.
 */
import { randomUUID } from 'node:crypto'
import { type IdentityPolicy, samePolicy } from '../../../identity/policy.ts'
import { createItemChecksum } from '../../checksum.ts'
import type { CollectionDeletion, DeleteCollectionOutcome, PurgeStep } from '../../collection-deletion.ts'
import { pageOfAll } from '../../collection-page.ts'
import type { Collection, ItemId, ItemOutcome, PreparedItem, StoredItem } from '../../item.ts'
import { createItemCheck } from '../../item-check.ts'
import { itemKey } from '../../item-key.ts'
import { type Receipt, receiptChecksum, renderReceipt } from '../../receipt.ts'
import {
  type CollectionPage,
  type DefineOutcome,
  type IdempotencyRequest,
  type ItemStore,
  type Page,
  type PageRequest,
  storeCapabilities,
  type Unit,
  type UnitOutcome,
} from '../../store.ts'
import type { StoreVersion } from '../../store-version.ts'
import { createDeletions } from './deletions.ts'

interface Kept {
  readonly item: StoredItem
  readonly place: number
  readonly checksum: number
}

interface CollectionState {
  policy: IdentityPolicy
  byId: Map<ItemId, Kept>
  deletes: number
}

interface KeptReceipt {
  readonly fingerprint: string
  readonly expiresAtMs: number
  readonly receipt: Receipt
  readonly checksum: number
}

export function createMemoryStore(): ItemStore {
  return new MemoryStore()
}

class MemoryStore implements ItemStore {
  readonly capabilities = storeCapabilities({ enforcesUniqueness: true, singleWriter: true, keepsReceipts: true })
  readonly #collections = new Map<string, CollectionState>()
  readonly #receipts = new Map<string, KeptReceipt>()
  readonly #removed = createDeletions<Kept>()
  #places = 0
  /** The data ends with the process, so every new store begins an epoch. */
  #epoch: string = randomUUID()
  #deletions = 0
  readonly #checksum = createItemChecksum()
  readonly #check = createItemCheck()

  async put(units: readonly Unit[], nowMs: number): Promise<readonly UnitOutcome[]> {
    return units.map((unit) => this.#putUnit(unit, nowMs))
  }

  async collection(name: string): Promise<Collection | undefined> {
    const known = this.#collections.get(name)
    return known && { name, policy: known.policy }
  }

  async collections(page: PageRequest): Promise<CollectionPage> {
    const all = Array.from(this.#collections, ([name, { policy, byId }]) => ({
      name,
      policy,
      estimatedItems: byId.size,
    }))
    return pageOfAll(all, page)
  }

  async define(name: string, policy: IdentityPolicy): Promise<DefineOutcome> {
    const known = this.#collections.get(name)
    if (known !== undefined && samePolicy(known.policy, policy)) return 'unchanged'
    if (known !== undefined && known.byId.size > 0) return 'immutable'
    this.#stateOf(name, policy).policy = policy
    return 'defined'
  }

  async get(collection: string, id: ItemId): Promise<StoredItem | undefined> {
    const state = this.#collections.get(collection)
    const kept = state?.byId.get(id)
    return state && kept && this.#served(collection, state, kept)
  }

  async list(collection: string, page: PageRequest): Promise<Page> {
    const after = Number(page.after ?? 0)
    const state = this.#collections.get(collection)
    if (state === undefined) return { items: [] }
    const later = [...state.byId.values()].filter((kept) => kept.place > after)
    const shown = later.slice(0, page.limit)
    const last = shown.at(-1)
    const items = shown.map((kept) => this.#served(collection, state, kept))
    return last === undefined || later.length === shown.length ? { items } : { items, next: String(last.place) }
  }

  async delete(collection: string, id: ItemId): Promise<boolean> {
    const known = this.#collections.get(collection)
    if (known === undefined || !known.byId.delete(id)) return false
    known.deletes++
    this.#deletions++
    return true
  }

  async deleteCollection(collection: string, nowMs: number): Promise<DeleteCollectionOutcome> {
    const known = this.#collections.get(collection)
    if (known === undefined) return { kind: 'unknown' }
    if (known.byId.size === 0) return this.#removed.join(collection)
    const outcome = this.#removed.start({ collection, items: known.byId, nowMs })
    if (outcome.kind === 'busy') return outcome
    known.byId = new Map()
    known.deletes++
    this.#deletions++
    return outcome
  }

  async deletion(collection: string, id: string): Promise<CollectionDeletion | undefined> {
    return this.#removed.find(collection, id)
  }

  async purge(nowMs: number, after?: string): Promise<PurgeStep> {
    return this.#removed.purge(nowMs, after)
  }

  async version(collection: string): Promise<StoreVersion> {
    const deletes = this.#collections.get(collection)?.deletes ?? 0
    return { epoch: this.#epoch, position: BigInt(this.#places + this.#deletions), deletes }
  }

  async beginEpoch(): Promise<string> {
    return (this.#epoch = randomUUID())
  }

  async check(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}

  #served(name: string, { policy }: CollectionState, { item, checksum }: Kept): StoredItem {
    return this.#check({ ...item, key: itemKey(item.id), checksum }, { name, policy: () => policy })
  }

  #stateOf(name: string, policy: IdentityPolicy): CollectionState {
    const known = this.#collections.get(name) ?? { policy, byId: new Map(), deletes: 0 }
    this.#collections.set(name, known)
    return known
  }

  #putUnit(unit: Unit, nowMs: number): UnitOutcome {
    const earlier = unit.idempotency && this.#earlier(unit.idempotency, nowMs)
    if (earlier !== undefined) return earlier
    const state = this.#stateOf(unit.collection.name, unit.collection.policy)
    if (!samePolicy(state.policy, unit.collection.policy)) return { kind: 'policy-changed' }
    const outcomes = unit.items.map((item) => this.#putItem(unit.collection.name, state, item, nowMs))
    if (unit.idempotency === undefined) return { kind: 'stored', outcomes }
    const ids = unit.items.map((item) => item.id)
    const receipt = renderReceipt(unit.idempotency.form, ids, outcomes)
    const { fingerprint, expiresAtMs } = unit.idempotency
    this.#receipts.set(receiptKey(unit.idempotency), {
      fingerprint,
      expiresAtMs,
      receipt,
      checksum: receiptChecksum(unit.idempotency, receipt),
    })
    return { kind: 'stored', outcomes, receipt }
  }

  #earlier(request: IdempotencyRequest, nowMs: number): UnitOutcome | undefined {
    const kept = this.#receipts.get(receiptKey(request))
    if (kept === undefined) return undefined
    if (receiptChecksum({ ...request, ...kept }, kept.receipt) !== kept.checksum) return { kind: 'receipt-damaged' }
    if (kept.expiresAtMs <= nowMs) return undefined
    if (kept.fingerprint !== request.fingerprint) return { kind: 'key-reused' }
    return { kind: 'replayed', receipt: kept.receipt }
  }

  #putItem(collection: string, state: CollectionState, item: PreparedItem, nowMs: number): ItemOutcome {
    const known = state.byId.get(item.id)
    if (known !== undefined) return { kind: 'duplicate', firstSeenMs: known.item.firstSeenMs, foundBy: 'store' }
    const kept = { ...item, content: Uint8Array.from(item.content), firstSeenMs: nowMs }
    const checksum = this.#checksum({ ...kept, collection }, itemKey(item.id), kept.content)
    state.byId.set(item.id, { item: kept, place: ++this.#places, checksum })
    return { kind: 'created', firstSeenMs: nowMs }
  }
}

function receiptKey(request: IdempotencyRequest): string {
  return JSON.stringify([request.scope, request.key])
}
