/** Turns received content into an item with an id, or into the reason for its refusal. */

import { IngotError } from '../errors/error.ts'
import { itemIdOf, type Media } from '../identity/content-id.ts'
import type { IdentityPolicy } from '../identity/policy.ts'
import type { Turns } from '../std/turns.ts'
import type { PreparedItem } from './item.ts'

/** Content as it was received, or the reason why it could not be read. */
export type RawContent = { readonly media: string; readonly content: Uint8Array } | { readonly refused: IngotError }

export type Prepared = PreparedItem | { readonly refused: IngotError }

export interface PrepareOptions {
  /** Maximum nesting depth of JSON. */
  readonly maxDepth: number
}

/** Work per turn of the event loop, in the unit of `workOf`. Takes a few milliseconds. */
export const TURN_WORK = 65_536

/** Fixed cost of an item (objects, hash, refusal), expressed in bytes of content. */
const ITEM_WORK = 128

/** Calls `prepare` for each content. Yields to the event loop whenever the work of a turn is done. */
export async function prepareAll(
  policy: IdentityPolicy,
  contents: readonly RawContent[],
  options: PrepareOptions,
  turns: Turns,
): Promise<readonly Prepared[]> {
  const prepared: Prepared[] = []
  while (prepared.length < contents.length) {
    const slice = nextSlice(contents, prepared.length)
    const turn = turns.enter(slice.work)
    if (turn !== undefined) await turn
    for (const content of slice.contents) prepared.push(prepare(policy, content, options))
  }
  return prepared
}

interface Slice {
  readonly contents: readonly RawContent[]
  readonly work: number
}

function nextSlice(contents: readonly RawContent[], from: number): Slice {
  let work = 0
  let to = from
  for (; to < contents.length && work < TURN_WORK; to++) work += workOf(contents[to])
  return { contents: contents.slice(from, to), work }
}

function workOf(content: RawContent | undefined): number {
  return ITEM_WORK + (content !== undefined && 'content' in content ? content.content.length : 0)
}

export function prepare(policy: IdentityPolicy, raw: RawContent, options: PrepareOptions): Prepared {
  if ('refused' in raw) return raw
  try {
    const id = itemIdOf(policy, mediaKind(raw.media), raw.content, options)
    return { id, media: raw.media, content: raw.content }
  } catch (thrown) {
    if (thrown instanceof IngotError) return { refused: thrown }
    throw thrown
  }
}

/** Returns the format of content with a media type. */
export function mediaKind(media: string): Media {
  return media === 'application/json' ? 'json' : 'bytes'
}
