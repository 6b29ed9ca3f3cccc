/** Merges the histories of several recorders, such as the clients, the nemesis and the canary. */
import type { Event } from './history.ts'

/** Returns all events in order of time. Throws an Error if two histories share the name of an operation of one kind. */
export function mergeHistories(histories: readonly (readonly Event[])[]): readonly Event[] {
  checkNames(histories)
  return inOrder(histories.flat())
}

/**
 * Sorts events by `tMono`, which must come from one clock, and numbers them again. Invocations precede completions of
 * the same moment: operations then overlap, and no conclusion relies on an order that was not observed.
 */
export function inOrder(events: readonly Event[]): readonly Event[] {
  const sorted = events.toSorted((a, b) => a.tMono - b.tMono || beginsFirst(a) - beginsFirst(b))
  return sorted.map((event, index) => ({ ...event, seq: index + 1 }))
}

function beginsFirst({ type }: Event): number {
  return type === 'invoke' ? 0 : 1
}

function checkNames(histories: readonly (readonly Event[])[]): void {
  const owners = new Map<string, number>()
  for (const [index, history] of histories.entries()) {
    for (const { f, op } of history) {
      const owner = owners.get(`${f} ${op}`) ?? index
      if (owner !== index)
        throw new Error(`two histories have an operation "${op}" (${f}): was one of them given twice?`)
      owners.set(`${f} ${op}`, index)
    }
  }
}
