/** Identifies a content and finds out whether it is stored, without saving anything. */
import { identifyingText } from '../../identity/content-id.ts'
import type { IdentityPolicy } from '../../identity/policy.ts'
import { defined } from '../../std/defined.ts'
import type { Turns } from '../../std/turns.ts'
import type { Collection, ItemId, PreparedItem } from '../item.ts'
import { mediaKind, type PrepareOptions, prepareAll, type RawContent } from '../prepare.ts'
import { type FoundMark, type ServiceStore, storeWith } from '../store.ts'

/** What the service knows of a content. */
export interface LookedUp {
  readonly id: ItemId
  readonly policy: IdentityPolicy
  /** The text that was hashed for the id. Absent if the bytes themselves identify the item. */
  readonly canonical?: string
  /** Absent if the content is not stored. */
  readonly found?: FoundMark
}

export interface LookupDeps {
  readonly store: ServiceStore
  readonly options: PrepareOptions
  readonly turns: Turns
}

/** Rejects with the refusal of the content, or with IngotError UNSUPPORTED or STORE_UNAVAILABLE. */
export async function lookUpContent(
  { store, options, turns }: LookupDeps,
  collection: Collection,
  content: RawContent,
): Promise<LookedUp> {
  const { policy } = collection
  const [item] = await prepareAll(policy, [content], options, turns)
  if (item === undefined || 'refused' in item) throw item?.refused ?? new RangeError('no content was prepared')
  const canonical = identifyingText(policy, mediaKind(item.media), item.content, options)
  const found = await find(store, collection, item)
  return { id: item.id, policy, ...defined({ canonical, found }) }
}

async function find(store: ServiceStore, collection: Collection, item: PreparedItem): Promise<FoundMark | undefined> {
  if (store.find !== undefined) return store.find(collection, item)
  return storeWith(store, 'get').get(collection.name, item.id)
}
