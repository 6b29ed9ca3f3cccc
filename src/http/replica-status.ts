/** The state of a replica, as the service reports it. */
import type { LockObservation } from '../lock/observation.ts'
import type { BreakerState } from '../std/breaker.ts'

export interface ReplicaStatus {
  readonly version: string
  /** RFC 3339. */
  readonly started: string
  readonly store: {
    readonly kind: string
    /** True if the store would accept a write now. */
    readonly available: boolean
    /** Absent if the store has no epochs or is not available. */
    readonly epoch?: string
    /** Connections to a shared store. Absent for other stores. */
    readonly pool?: {
      readonly idle: number
      readonly used: number
      readonly limit: number
      /** Calls that wait for a connection. */
      readonly waiting: number
    }
  }
  readonly pending: {
    readonly items: number
    readonly maxItems: number
    readonly bytes: number
    readonly maxBytes: number
  }
  /** State of each circuit breaker, by what it protects. */
  readonly breakers: Readonly<Record<string, BreakerState>>
  /** Absent without locks. */
  readonly locks?: ShownLocks
  readonly cache: { readonly shared: boolean; readonly recentItems: number }
}

export interface ShownLocks {
  readonly heldCount: number
  readonly waitingCount: number
  /** The oldest ones, at most SHOWN_LOCKS. Fences are texts, because a double cannot represent all of them. */
  readonly held: readonly object[]
  readonly waiting: readonly object[]
}

/** Number of held and of waiting locks that are shown, so that a response stays small. */
export const SHOWN_LOCKS = 100

/** Times are in whole milliseconds. */
export function shownLocks({ held, waiting }: LockObservation): ShownLocks {
  return {
    heldCount: held.length,
    waitingCount: waiting.length,
    held: held.slice(0, SHOWN_LOCKS).map(({ key, fence, ageMs, ttlMs, remainingMs }) => ({
      key,
      ageMs: Math.round(ageMs),
      ttlMs,
      remainingMs: Math.round(remainingMs),
      ...(fence === undefined ? {} : { fence: String(fence) }),
    })),
    waiting: waiting.slice(0, SHOWN_LOCKS).map(({ keys, ageMs }) => ({
      keys: keys.slice(0, SHOWN_LOCKS),
      ageMs: Math.round(ageMs),
    })),
  }
}
