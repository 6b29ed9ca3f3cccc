/** Records faults and recoveries in the format of the load's history. */
import type { Entry, Event } from '../history.ts'

export interface Nemesis {
  readonly events: readonly Event[]
  record(entry: Entry): Event
}

/** Returns a recorder. `wallMs` returns milliseconds since the Unix epoch. */
export function createNemesis(wallMs: () => number): Nemesis {
  const events: Event[] = []
  return {
    events,
    record(entry) {
      const nowMs = wallMs()
      const event = { seq: events.length + 1, tMono: nowMs, tWall: nowMs, ...entry }
      events.push(event)
      return event
    },
  }
}
