/**
 * Reduces collisions of contenders for one key. If all of them ask all nodes at once, votes split, no contender wins,
 * and each attempt costs a vote and its undoing on every node. Therefore a recently refused key is first requested from
 * one node, the same one for all contenders. A contender that is refused there has sent one command. The one that gets
 * the vote asks the other nodes with fewer rivals. A node that does not respond is skipped.
 */
import { loadScript } from '../../../redis/script.ts'
import type { Clock } from '../../../std/clock.ts'
import type { Key } from '../../lock.ts'
import type { VoteRequest } from './ballot.ts'
import type { Node } from './node.ts'

const ACQUIRE = loadScript('acquire', import.meta.url)

/** How long a refusal is remembered, in milliseconds. */
const MEMORY_MS = 2_000
const MAX_KEYS = 10_000

export interface ContentionGate {
  /** Records that another holder has the key. */
  refused(key: Key): void
  /**
   * Resolves to `undefined` if a vote may start. Otherwise resolves to the remaining lease of the current holder, in
   * milliseconds.
   */
  check(request: VoteRequest): Promise<number | undefined>
}

/** FNV-1a, 32 bits. The result is the same in every process. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}

export function createContentionGate(nodes: readonly Node[], clock: Clock): ContentionGate {
  const untilMs = new Map<Key, number>()

  function forgetOld(): void {
    const now = clock.monotonicMs()
    for (const [key, until] of untilMs) {
      if (until > now && untilMs.size < MAX_KEYS) return
      untilMs.delete(key)
    }
  }

  async function ask({ key, token, ttlMs }: VoteRequest): Promise<number | undefined> {
    const node = nodes[hash(key) % nodes.length]
    try {
      const vote = await node?.client.evalsha(ACQUIRE.sha, 1, key, token, ttlMs)
      return typeof vote === 'number' && vote <= 0 ? -vote : undefined
    } catch {
      // down, or without the script: the following vote detects that
      return undefined
    }
  }

  return {
    refused(key) {
      forgetOld()
      // the newest entries are at the end
      untilMs.delete(key)
      untilMs.set(key, clock.monotonicMs() + MEMORY_MS)
    },
    async check(request) {
      if ((untilMs.get(request.key) ?? 0) <= clock.monotonicMs() || request.signal.aborted) return undefined
      return ask(request)
    },
  }
}
