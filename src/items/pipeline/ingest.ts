/**
 * The use case of ingestion: computes the id of each content, and puts the items that are not known to be committed. A
 * submission with an Idempotency-Key goes to the store as one unit, because its receipt is stored in the same
 * transaction. Every other submission goes through in-flight.ts.
 */

import { IngotError } from '../../errors/error.ts'
import { DEFAULT_POLICY, type IdentityPolicy, samePolicy } from '../../identity/policy.ts'
import { createTurns } from '../../std/turns.ts'
import type { DeleteCollectionOutcome } from '../collection-deletion.ts'
import type { RecentItems } from '../freshness/recent-ids.ts'
import type { Collection, ItemId, ItemResult, PreparedItem } from '../item.ts'
import { damaged } from '../item-check.ts'
import { type Prepared, type PrepareOptions, prepareAll, type RawContent, TURN_WORK } from '../prepare.ts'
import {
  type Entry,
  entriesOf,
  type Receipt,
  type ReceiptForm,
  type ReceiptSlot,
  refusal,
  renderReceipt,
} from '../receipt.ts'
import { type DefineOutcome, hasMethod, type IdempotencyRequest, type ServiceStore, storeWith } from '../store.ts'
import type { GroupCommit } from './group-commit.ts'
import { createSingleFlight, rememberAll } from './in-flight.ts'
import { type LookedUp, lookUpContent } from './lookup.ts'

export interface Submission {
  readonly collection: string
  readonly contents: readonly RawContent[]
  /** Selects refusals that refuse the complete submission. The first one is thrown, with its `index`. Default: none. */
  readonly fatal?: (error: IngotError) => boolean
}

/** A client's key, and the kind of receipt to store under it. */
export type KeyedRequest = Omit<IdempotencyRequest, 'form'> & { readonly kind: ReceiptForm['kind'] }

export type KeyedResult =
  | { readonly kind: 'stored'; readonly receipt: Receipt; readonly entries: readonly Entry[] }
  | { readonly kind: 'replayed'; readonly receipt: Receipt }
  /** The key was used for another request: nothing was stored. */
  | { readonly kind: 'key-reused' }

export interface Ingest {
  /**
   * Resolves with one result per content, in order, when all are durable. Rejects with IngotError OVERLOADED or
   * STORE_UNAVAILABLE.
   */
  submit(submission: Submission): Promise<readonly ItemResult[]>
  /** Like `submit`, and stores the receipt under a key. The same key and fingerprint get the same receipt again. */
  submitKeyed(submission: Submission, request: KeyedRequest): Promise<KeyedResult>
  /**
   * Identifies one content as `submit` does, and finds out whether it is stored. Saves nothing. Rejects with the refusal
   * of the content, UNSUPPORTED or STORE_UNAVAILABLE.
   */
  lookup(collection: string, content: RawContent): Promise<LookedUp>
  /** Resolves when a submission would be accepted. Rejects with the signal's reason. */
  waitForCapacity(signal: AbortSignal): Promise<void>
  define(collection: string, policy: IdentityPolicy): Promise<DefineOutcome>
  /** Resolves to true if the item existed. After that, the same content is new. */
  remove(collection: string, id: ItemId): Promise<boolean>
  /**
   * Deletes all items of a collection, at wall time `nowMs`. After that, every content is new. Resolves before the items
   * are removed from the disk.
   */
  removeCollection(collection: string, nowMs: number): Promise<DeleteCollectionOutcome>
}

export interface IngestDeps {
  readonly store: ServiceStore
  readonly commit: GroupCommit
  readonly recent: RecentItems
}

/** A policy changes only while its collection is empty, so several changes during one submission are unlikely. */
const POLICY_ATTEMPTS = 5

/** Maximum number of collections whose policy is cached. */
const MAX_KNOWN_COLLECTIONS = 10_000

export function createIngest(deps: IngestDeps, options: PrepareOptions): Ingest {
  const { store, commit, recent } = deps
  const singleFlight = createSingleFlight(deps)
  const known = new Map<string, Collection>()
  // shared by all submissions, because many small ones block the event loop as much as a large one
  const turns = createTurns(TURN_WORK)

  async function lookUp(name: string): Promise<Collection> {
    const collection = (await store.collection(name)) ?? { name, policy: DEFAULT_POLICY }
    if (known.size >= MAX_KNOWN_COLLECTIONS) known.clear()
    known.set(name, collection)
    return collection
  }

  /** Prepares under the cached policy. Repeats if `put` returns `undefined` because the store has another policy. */
  async function underPolicy<T>(
    submission: Submission,
    put: (collection: Collection, prepared: readonly Prepared[]) => Promise<T | undefined>,
  ): Promise<T> {
    for (let attempt = 0; attempt < POLICY_ATTEMPTS; attempt++) {
      const collection = known.get(submission.collection) ?? (await lookUp(submission.collection))
      const prepared = await prepareAll(collection.policy, submission.contents, options, turns)
      refuseWhole(submission, prepared)
      const result = await put(collection, prepared)
      if (result !== undefined) return result
      known.delete(submission.collection)
    }
    throw new IngotError('STORE_UNAVAILABLE', `the policy of collection "${submission.collection}" keeps changing`)
  }

  async function putKeyed(
    collection: Collection,
    prepared: readonly Prepared[],
    request: KeyedRequest,
  ): Promise<KeyedResult | undefined> {
    if (!store.capabilities.keepsReceipts) throw new IngotError('UNSUPPORTED', NO_RECEIPTS)
    const { kind, ...key } = request
    const { items, slots } = distinctItems(prepared)
    const form = { kind, slots }
    const stamp = recent.stamp(collection.name)
    const outcome = await commit.submit({ collection, items, idempotency: { ...key, form } })
    if (outcome.kind === 'policy-changed') return undefined
    if (outcome.kind === 'receipt-damaged') throw damaged('the receipt stored under this Idempotency-Key')
    if (outcome.kind !== 'stored') return outcome
    rememberAll(recent, stamp, items, outcome.outcomes)
    const ids = items.map((item) => item.id)
    const receipt = outcome.receipt ?? renderReceipt(form, ids, outcome.outcomes)
    return { kind: 'stored', receipt, entries: entriesOf(form, ids, outcome.outcomes) }
  }

  return {
    submit: (submission) => underPolicy(submission, (collection, prepared) => singleFlight.put(collection, prepared)),
    submitKeyed: (submission, request) =>
      underPolicy(submission, (collection, prepared) => putKeyed(collection, prepared, request)),
    // reads the policy from the store, because a cached one may be outdated
    lookup: async (name, content) => lookUpContent({ store, options, turns }, await lookUp(name), content),
    waitForCapacity: (signal) => commit.waitForCapacity(signal),
    define: (collection, policy) => defineIn(store, collection, policy).finally(() => known.delete(collection)),
    async remove(collection, id) {
      const removed = await storeWith(store, 'delete').delete(collection, id)
      await recent.invalidate(collection, id)
      return removed
    },
    removeCollection: (collection, nowMs) => removeAll(deps, collection, nowMs),
  }
}

const NO_RECEIPTS = 'this store cannot store receipts under an Idempotency-Key; the content itself is the key'

/** Accepts the current policy of a collection also in a store whose policies are fixed. */
async function defineIn(store: ServiceStore, name: string, policy: IdentityPolicy): Promise<DefineOutcome> {
  if (hasMethod(store, 'define')) return store.define(name, policy)
  const known = await store.collection(name)
  if (known !== undefined && samePolicy(known.policy, policy)) return 'unchanged'
  return storeWith(store, 'define').define(name, policy)
}

async function removeAll(
  { store, recent }: IngestDeps,
  collection: string,
  nowMs: number,
): Promise<DeleteCollectionOutcome> {
  const outcome = await storeWith(store, 'deleteCollection').deleteCollection(collection, nowMs)
  // also after `joined` and `empty`, because the request that made the cut may still wait here
  if (outcome.kind !== 'unknown' && outcome.kind !== 'busy') await recent.invalidateCollection(collection)
  return outcome
}

function refuseWhole(submission: Submission, prepared: readonly Prepared[]): void {
  if (submission.fatal === undefined) return
  for (const [index, one] of prepared.entries()) {
    if ('refused' in one && submission.fatal(one.refused)) {
      const { code, message, facts } = one.refused
      throw prepared.length === 1
        ? one.refused
        : new IngotError(code, `item ${index}: ${message}`, { facts: { ...facts, index } })
    }
  }
}

/** Returns the distinct items of a submission, and the source of the outcome of each content. */
function distinctItems(prepared: readonly Prepared[]): {
  items: readonly PreparedItem[]
  slots: readonly ReceiptSlot[]
} {
  const items: PreparedItem[] = []
  const indexes = new Map<ItemId, number>()
  const slots = prepared.map((one): ReceiptSlot => {
    if ('refused' in one) return refusal(one.refused)
    const known = indexes.get(one.id)
    if (known !== undefined) return { kind: 'item', at: known, repeat: true }
    indexes.set(one.id, items.length)
    return { kind: 'item', at: items.push(one) - 1, repeat: false }
  })
  return { items, slots }
}
