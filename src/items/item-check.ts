/**
 * Checks that a row still has the bytes that were stored, before it is served. If the row has a checksum, the checksum
 * alone decides, because it covers every byte that is served. A row of an older version has no checksum. Its id
 * decides, which covers the bytes (b1), the JSON value (j1) or some fields (f1), but neither media type nor date.
 */
import { failpoint } from '#failpoint'
import { IngotError } from '../errors/error.ts'
import { MAX_DEPTH } from '../identity/json.ts'
import type { IdentityPolicy } from '../identity/policy.ts'
import { createItemChecksum } from './checksum.ts'
import type { PreparedItem, StoredItem } from './item.ts'
import { itemIdOfKey } from './item-key.ts'
import { prepare } from './prepare.ts'

/** An item as a store read it. */
export interface ItemRow {
  /** The id in the form of item-key.ts. */
  readonly key: Uint8Array
  readonly media: string
  readonly firstSeenMs: number
  readonly content: Uint8Array
  /** `null` for an item that was stored without a checksum. */
  readonly checksum: number | null
}

/** The collection that an item is served from. */
export interface ServedFrom {
  readonly name: string
  /** Called only for an item without a checksum. */
  readonly policy: () => IdentityPolicy
}

export type ItemCheck = (row: ItemRow, from: ServedFrom) => StoredItem

/**
 * Returns a function that turns a row into its item. The function throws IngotError STORE_CORRUPT for a damaged row.
 */
export function createItemCheck(): ItemCheck {
  const checksumOfItem = createItemChecksum()
  return ({ key, media, firstSeenMs, content, checksum }, { name, policy }) => {
    const item = { id: itemIdOfKey(key), media, content, firstSeenMs }
    const isSound =
      checksum === null
        ? wrongId(item, policy()) === undefined
        : checksumOfItem({ collection: name, media, firstSeenMs }, key, content) === checksum
    if (isSound || failpoint('store/serve-damaged')) return item
    throw damaged(`item "${item.id}" of collection "${name}"`)
  }
}

/**
 * Returns why the id is not the id of the content, as the end of a sentence about the item. Returns `undefined` if it
 * is.
 */
export function wrongId({ id, media, content }: PreparedItem, policy: IdentityPolicy): string | undefined {
  const prepared = prepare(policy, { media, content }, { maxDepth: MAX_DEPTH })
  if ('refused' in prepared) return `has id ${id}, but its content is refused: ${prepared.refused.message}`
  return prepared.id === id ? undefined : `has id ${id}, but the id of its content is ${prepared.id}`
}

/** Returns the error for stored data that has changed. `what` names the data. */
export function damaged(what: string): IngotError {
  return new IngotError('STORE_CORRUPT', `${what} is damaged in the store`)
}
