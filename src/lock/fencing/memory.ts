/** The executable specification of a fence store. Its numbers end with the process, so use it for tests only. */
import type { FenceStore, PrimaryTerm, TermRequest } from './fence-store.ts'
import { ownEpoch, settled } from './primary-terms.ts'

export function createMemoryFences(): FenceStore {
  const epochs = new Map<string, bigint>()
  const lines = new Map<string, readonly PrimaryTerm[]>()
  let epoch = 0n
  let fence = 0n

  function newEpoch(above: bigint): bigint {
    epoch = (epoch > above ? epoch : above) + 1n
    return epoch
  }

  function epochFor(identity: string, above = 0n): bigint {
    const known = epochs.get(identity) ?? newEpoch(above)
    epochs.set(identity, known)
    return known
  }

  function take(term: TermRequest): bigint {
    const { owner, parts, mark, above } = term
    const terms = parts.flatMap(({ line }) => lines.get(line) ?? [])
    const taken = mark === undefined ? (ownEpoch(terms, term) ?? newEpoch(above)) : epochFor(mark, above)
    for (const part of parts) {
      lines.set(part.line, settled(lines.get(part.line) ?? [], part, { epoch: taken, owner }))
    }
    return taken
  }

  return {
    async epochOf(identity, signal) {
      signal.throwIfAborted()
      return epochFor(identity)
    },
    async termsOf(wanted, signal) {
      signal.throwIfAborted()
      return wanted.flatMap((line) => lines.get(line) ?? [])
    },
    async takeTerm(term, signal) {
      signal.throwIfAborted()
      return take(term)
    },
    async nextFence(_key, signal) {
      signal.throwIfAborted()
      return ++fence
    },
    async [Symbol.asyncDispose]() {},
  }
}
