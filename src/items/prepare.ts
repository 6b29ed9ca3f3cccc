/** From content as it came to an item with an id, or the reason why it cannot be one. */

import { IngotError } from '../errors/error.ts'
import { itemIdOf, type Media } from '../identity/content-id.ts'
import type { IdentityPolicy } from '../identity/policy.ts'
import type { Turns } from '../std/turns.ts'
import type { PreparedItem } from './item.ts'

/** Content as it came, or the reason why it cannot be taken. */
export type RawContent = { readonly media: string; readonly content: Uint8Array } | { readonly refused: IngotError }

export type Prepared = PreparedItem | { readonly refused: IngotError }

export interface PrepareOptions {
  /** How deep JSON may nest. */
  readonly maxDepth: number
}

/** Work that one turn of the event loop takes, see `workOf`. A few milliseconds. */
export const TURN_WORK = 65_536

/** What an item costs however small it is, in bytes of a large one: its objects, its hash, its refusal. */
const ITEM_WORK = 128

/** As `prepare`, of each. Yields to the event loop whenever the work of a turn is done. */
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
  const media: Media = raw.media === 'application/json' ? 'json' : 'bytes'
  try {
    const id = itemIdOf(policy, media, raw.content, options)
    return { id, media: raw.media, content: raw.content }
  } catch (thrown) {
    if (thrown instanceof IngotError) return { refused: thrown }
    throw thrown
  }
}
