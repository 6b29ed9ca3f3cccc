/** Merges the histories of several recorders: of the clients, the nemesis and the canary. */
import type { Event } from './history.ts'

/** In order. Throws an Error when two histories name an operation of one kind alike. */
export function mergeHistories(histories: readonly (readonly Event[])[]): readonly Event[] {
  checkNames(histories)
  return inOrder(histories.flat())
}

/**
 * By `tMono`, which must be of one clock, and numbered anew. Of events at the same moment the begins come first:
 * operations then overlap, and no conclusion rests on an order that was not observed.
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
        throw new Error(`two histories have an operation "${op}" (${f}): is one of them there twice?`)
      owners.set(`${f} ${op}`, index)
    }
  }
}
