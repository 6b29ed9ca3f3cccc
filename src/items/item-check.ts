/**
 * Judges whether an item that was read is the one that was stored, before it is served. An item with a checksum is
 * judged by that alone: it covers every byte that is served. One without (an older version stored it) is judged by its
 * id, which covers the bytes (b1), the JSON value (j1) or some fields of it (f1), and neither media type nor date.
 */
import { failpoint } from '#failpoint'
import { IngotError } from '../errors/error.ts'
import { MAX_DEPTH } from '../identity/json.ts'
import type { IdentityPolicy } from '../identity/policy.ts'
import { createItemChecksum } from './checksum.ts'
import type { PreparedItem, StoredItem } from './item.ts'
import { itemIdOfKey } from './item-key.ts'
import { prepare } from './prepare.ts'

/** An item as it was read. */
export interface ItemRow {
  /** The id as item-key.ts writes it. */
  readonly key: Uint8Array
  readonly media: string
  readonly firstSeenMs: number
  readonly content: Uint8Array
  /** `null` for an item that was stored without. */
  readonly checksum: number | null
}

/** The collection that an item is served from. */
export interface ServedFrom {
  readonly name: string
  /** Only asked for an item without a checksum. */
  readonly policy: () => IdentityPolicy
}

export type ItemCheck = (row: ItemRow, from: ServedFrom) => StoredItem

/** Returns a function that returns the item of a row, or throws IngotError STORE_CORRUPT. */
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

/** What is wrong with an item's id, as the end of a sentence about the item; `undefined` when it is the content's. */
export function wrongId({ id, media, content }: PreparedItem, policy: IdentityPolicy): string | undefined {
  const prepared = prepare(policy, { media, content }, { maxDepth: MAX_DEPTH })
  if ('refused' in prepared) return `has id ${id}, but its content is refused: ${prepared.refused.message}`
  return prepared.id === id ? undefined : `has id ${id}, but its content makes ${prepared.id}`
}

/** `what` is not what was stored. */
export function damaged(what: string): IngotError {
  return new IngotError('STORE_CORRUPT', `${what} is damaged in the store`)
}
