/**
 * How contenders for one key keep out of each other's way. When all ask all nodes at once, votes split and nobody wins,
 * and each attempt costs a vote and its undoing on every node. So a key that was refused lately is first asked for at
 * one node, the same for all contenders: who is refused there has cost one command, and who gets that vote asks the
 * others with fewer rivals. A node that does not answer is passed over.
 */
import { loadScript } from '../../../redis/script.ts'
import type { Clock } from '../../../std/clock.ts'
import type { Key } from '../../lock.ts'
import type { Question } from './ballot.ts'
import type { Node } from './node.ts'

const ACQUIRE = loadScript('acquire', import.meta.url)

/** How long a refusal is remembered, in milliseconds. */
const MEMORY_MS = 2_000
const MAX_KEYS = 10_000

export interface ContentionGate {
  /** Another holds the key. */
  refused(key: Key): void
  /** `undefined` when the way to a vote is free; else what is left of the lease of whoever is before us, in ms. */
  stepBack(question: Question): Promise<number | undefined>
}

/** FNV-1a, 32 bits: the same in every process. */
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

  async function ask({ key, token, ttlMs }: Question): Promise<number | undefined> {
    const node = nodes[hash(key) % nodes.length]
    try {
      const vote = await node?.client.evalsha(ACQUIRE.sha, 1, key, token, ttlMs)
      return typeof vote === 'number' && vote <= 0 ? -vote : undefined
    } catch {
      // down, or without the script: the vote that follows finds out
      return undefined
    }
  }

  return {
    refused(key) {
      forgetOld()
      // the newest stand at the end
      untilMs.delete(key)
      untilMs.set(key, clock.monotonicMs() + MEMORY_MS)
    },
    async stepBack(question) {
      if ((untilMs.get(question.key) ?? 0) <= clock.monotonicMs() || question.signal.aborted) return undefined
      return ask(question)
    },
  }
}
