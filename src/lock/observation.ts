/** What a locker holds and waits for, for display. Reading it costs the callers of the locker nothing. */
import type { Key } from './lock.ts'

export interface HeldLock {
  readonly key: Key
  /** Absent if the backend has no fences. */
  readonly fence: bigint | undefined
  /** Milliseconds since the request for the grant was sent. */
  readonly ageMs: number
  /** Length of the lease in milliseconds. */
  readonly ttlMs: number
  /** Milliseconds until the holder gives the lease up, unless it is renewed. */
  readonly remainingMs: number
}

export interface WaitingLock {
  /** All keys of the caller, also those that it has by now. */
  readonly keys: readonly Key[]
  /** Milliseconds since the call. */
  readonly ageMs: number
}

export interface LockObservation {
  /** The oldest first. A lease that is being released is included. */
  readonly held: readonly HeldLock[]
  /** The oldest first. A caller waits after its first attempt was not granted. */
  readonly waiting: readonly WaitingLock[]
}

const oldestFirst = (a: { readonly ageMs: number }, b: { readonly ageMs: number }): number => b.ageMs - a.ageMs

/** Returns one observation of several lockers. */
export function mergeObservations(all: readonly LockObservation[]): LockObservation {
  return {
    held: all.flatMap(({ held }) => held).toSorted(oldestFirst),
    waiting: all.flatMap(({ waiting }) => waiting).toSorted(oldestFirst),
  }
}
