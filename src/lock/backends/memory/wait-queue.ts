/**
 * The queue of one key, first come, first served. A place is taken by a refusal and kept while its owner waits, and
 * for a grace time in between, so that an owner who never comes back cannot hold up those behind it.
 */
import type { Ticket, Token } from '../../lock.ts'

/** How long a place outlives its owner's last call, and how long a freed key is kept for the next in line. */
export const GRACE_MS = 1_000

export interface WaitEntry {
  readonly ticket: Ticket
  readonly token: Token
  /** Present while the owner waits. */
  wake?: (() => void) | undefined
  /** Monotonic milliseconds of the owner's last call. */
  seenMs: number
}

export interface Queue {
  /** The place of this token: the one it has, or a new one at the end. */
  take(token: Token, nowMs: number): WaitEntry
  find(ticket: Ticket): WaitEntry | undefined
  leave(token: Token): void
  /** Takes out the first place whose owner waits or was seen within the grace time; drops the others before it. */
  shift(nowMs: number): WaitEntry | undefined
  readonly size: number
}

export function createQueue(): Queue {
  let places: WaitEntry[] = []
  let issued = 0

  function join(token: Token, nowMs: number): WaitEntry {
    const place: WaitEntry = { ticket: String(++issued), token, seenMs: nowMs }
    places.push(place)
    return place
  }

  return {
    take(token, nowMs) {
      const place = places.find((p) => p.token === token) ?? join(token, nowMs)
      place.seenMs = nowMs
      return place
    },
    find: (ticket) => places.find((p) => p.ticket === ticket),
    leave: (token) => void (places = places.filter((p) => p.token !== token)),
    shift(nowMs) {
      for (let next = places.shift(); next !== undefined; next = places.shift()) {
        if (next.wake !== undefined || nowMs - next.seenMs <= GRACE_MS) return next
      }
      return undefined
    },
    get size() {
      return places.length
    },
  }
}
