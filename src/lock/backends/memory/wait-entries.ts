/**
 * The wait entries of one key, first in, first out. A refusal adds an entry. The entry lasts while its owner waits, and
 * for a grace time after its last call, so that an owner that never returns does not block those behind it.
 */
import type { Ticket, Token } from '../../lock.ts'

/**
 * How long an entry outlives its owner's last call, and how long a freed key is reserved for the next waiter, in
 * milliseconds.
 */
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
  /** Returns the entry of this token. Adds a new one at the end if there is none. */
  take(token: Token, nowMs: number): WaitEntry
  find(ticket: Ticket): WaitEntry | undefined
  leave(token: Token): void
  /**
   * Removes and returns the first entry whose owner waits or was seen within the grace time. Drops the entries before
   * it.
   */
  shift(nowMs: number): WaitEntry | undefined
  readonly size: number
}

export function createQueue(): Queue {
  let entries: WaitEntry[] = []
  let issued = 0

  function join(token: Token, nowMs: number): WaitEntry {
    const entry: WaitEntry = { ticket: String(++issued), token, seenMs: nowMs }
    entries.push(entry)
    return entry
  }

  return {
    take(token, nowMs) {
      const entry = entries.find((p) => p.token === token) ?? join(token, nowMs)
      entry.seenMs = nowMs
      return entry
    },
    find: (ticket) => entries.find((p) => p.ticket === ticket),
    leave: (token) => void (entries = entries.filter((p) => p.token !== token)),
    shift(nowMs) {
      for (let next = entries.shift(); next !== undefined; next = entries.shift()) {
        if (next.wake !== undefined || nowMs - next.seenMs <= GRACE_MS) return next
      }
      return undefined
    },
    get size() {
      return entries.length
    },
  }
}
