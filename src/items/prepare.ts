/** From content as it came to an item with an id, or the reason why it cannot be one. */
import { itemIdOf, type Media } from '../identity/content-id.ts'
import type { IdentityPolicy } from '../identity/policy.ts'
import { Fault } from '../std/fault.ts'
import type { PreparedItem } from './item.ts'

/** Content as it came, or the reason why it cannot be taken. */
export type RawContent = { readonly media: string; readonly content: Uint8Array } | { readonly refused: Fault }

export type Prepared = PreparedItem | { readonly refused: Fault }

export interface PrepareOptions {
  /** How deep JSON may nest. */
  readonly maxDepth: number
}

export function prepare(policy: IdentityPolicy, raw: RawContent, options: PrepareOptions): Prepared {
  if ('refused' in raw) return raw
  const media: Media = raw.media === 'application/json' ? 'json' : 'bytes'
  try {
    const id = itemIdOf(policy, media, raw.content, options)
    return { id, media: raw.media, content: raw.content }
  } catch (thrown) {
    if (thrown instanceof Fault) return { refused: thrown }
    throw thrown
  }
}
