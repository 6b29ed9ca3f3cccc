/**
 * Leases on a store's past. For at most LEASE_MS a replica may rely on what the store said of its epoch and of a
 * collection's deletions; a deletion is answered only after that time, so no replica still relies on what was before it.
 *
 * A lease counts from the moment the question was sent, on the monotonic clock. It is renewed in the background while it
 * is used, and a collection that nobody asks for costs nothing. When the store is away the lease runs out, and with it
 * all that rests on it: then the store itself is asked, which is slower and never wrong.
 *
 * How far the store's history had got is noted: here, and where knowledge outlives this process also outside
 * (`PastNotes`). An answer is held against what was noted before the question was sent; what was noted after it says
 * nothing, for others may have asked later and been quicker. Then the store is asked again.
 */

import { toIngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import type { Log } from '../../telemetry/log.ts'
import type { VersionedStore } from '../store.ts'
import { laterStamp, type StoreVersion, sameTimeline, type VersionStamp } from '../store-version.ts'

/** How long an answer of the store may be relied on. */
const LEASE_MS = 2_000

/** How long a deletion waits: the lease, one hundredth for clocks that run at different rates, and a timer's slack. */
export const LEASE_END_MS = LEASE_MS * 1.01 + 5

/** From here on a lease in use is renewed, so that it need not run out. */
const RENEW_MS = LEASE_MS / 2

/** Collections whose leases are kept. */
const MAX_COLLECTIONS = 10_000

/** How often one renewal asks while others are quicker to note. */
const MAX_QUESTIONS = 3

export interface VersionLease {
  readonly epoch: string
  readonly deletes: number
  /** How far the history had got when the store was asked, or further. */
  readonly position: bigint
  /** When the store was asked, monotonic milliseconds: what was committed before is part of this past. */
  readonly askedMs: number
}

export interface VersionLeases {
  /** The lease that holds now; undefined while there is none, which also asks for one. */
  current(collection: string): VersionLease | undefined
  /** As `current`, of leases whose position has been noted outside. Never there without `notes`. */
  noted(collection: string): VersionLease | undefined
  /** Asks now. Resolves with a noted lease that was asked for after this call, if there could be one. Never rejects. */
  renewed(collection: string): Promise<VersionLease | undefined>
}

/** What outlives this process, and does not go back in time with the store. */
export interface HighWaterMarks {
  /** Notes how far an epoch has got, and answers the furthest that was ever noted of it. Undefined: not known now. */
  raise(now: VersionStamp): Promise<VersionStamp | undefined>
}

export interface VersionLeasesDeps {
  readonly store: VersionedStore
  readonly clock: Clock
  readonly log: Log
  readonly notes?: HighWaterMarks
}

export function createVersionLeases(deps: VersionLeasesDeps): VersionLeases {
  return new LeaseBook(deps)
}

interface Kept {
  readonly latest: VersionLease
  readonly noted: VersionLease | undefined
}

class LeaseBook implements VersionLeases {
  readonly #deps: VersionLeasesDeps
  readonly #kept = new Map<string, Kept>()
  readonly #asking = new Map<string, Promise<void>>()
  /** The furthest that any lease has seen the store's history: it must not be told otherwise later. */
  #noted: VersionStamp | undefined

  constructor(deps: VersionLeasesDeps) {
    this.#deps = deps
  }

  current(collection: string): VersionLease | undefined {
    return this.#valid(collection, this.#kept.get(collection)?.latest)
  }

  noted(collection: string): VersionLease | undefined {
    return this.#valid(collection, this.#kept.get(collection)?.noted)
  }

  async renewed(collection: string): Promise<VersionLease | undefined> {
    // one under way may have asked before this call
    await this.#asking.get(collection)
    const before = this.#kept.get(collection)?.noted
    await this.#renew(collection)
    const lease = this.#kept.get(collection)?.noted
    return lease === before ? undefined : lease
  }

  #valid(collection: string, lease: VersionLease | undefined): VersionLease | undefined {
    const ageMs = lease === undefined ? Number.POSITIVE_INFINITY : this.#deps.clock.monotonicMs() - lease.askedMs
    // runs by itself: its failures are told to the log
    if (ageMs > RENEW_MS) void this.#renew(collection)
    return ageMs < LEASE_MS ? lease : undefined
  }

  #renew(collection: string): Promise<void> {
    const asking = this.#asking.get(collection) ?? this.#ask(collection).finally(() => this.#asking.delete(collection))
    this.#asking.set(collection, asking)
    return asking
  }

  async #ask(collection: string): Promise<void> {
    try {
      let outside: VersionStamp | undefined
      for (let question = 0; question < MAX_QUESTIONS; question++) {
        outside = await this.#askOnce(collection, outside)
        if (outside === undefined) return
      }
    } catch (thrown) {
      this.#deps.log.warn({ code: toIngotError(thrown).code }, 'the past of the store is not known now')
    }
  }

  /** Answers what others noted beyond the answer, which is worth another question. */
  async #askOnce(collection: string, outside: VersionStamp | undefined): Promise<VersionStamp | undefined> {
    const { store, clock, notes } = this.#deps
    const before = this.#noted
    const askedMs = clock.monotonicMs()
    const past = await store.version(collection)
    if (wentBack(before, past) || wentBack(outside, past)) return this.#beginEpoch()
    this.#noted = laterStamp(this.#noted, past)
    const lease = { epoch: past.epoch, deletes: past.deletes, position: past.position, askedMs }
    const older = this.#kept.get(collection)?.noted
    this.#keep(collection, { latest: lease, noted: sameVersion(older, lease) ? older : undefined })
    const furthest = await notes?.raise(past)
    if (furthest === undefined) return undefined
    if (wentBack(furthest, past)) return furthest
    this.#keep(collection, { latest: lease, noted: lease })
    return undefined
  }

  /** The store has lost some of the history that it told before, in the same epoch. */
  async #beginEpoch(): Promise<undefined> {
    this.#kept.clear()
    this.#noted = undefined
    const epoch = await this.#deps.store.beginEpoch()
    this.#deps.log.warn({ epoch }, 'the store went back in time; a new epoch begins')
  }

  #keep(collection: string, kept: Kept): void {
    if (this.#kept.size >= MAX_COLLECTIONS) this.#kept.clear()
    this.#kept.set(collection, kept)
  }
}

function sameVersion(one: VersionLease | undefined, other: VersionLease): boolean {
  return one?.epoch === other.epoch && one.deletes === other.deletes
}

function wentBack(noted: VersionStamp | undefined, now: StoreVersion): boolean {
  return noted !== undefined && noted.epoch === now.epoch && !sameTimeline(noted, now)
}
