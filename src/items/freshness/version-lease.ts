/**
 * Leases on the version of a store. For at most LEASE_MS, a replica may rely on the epoch and the count of deletions
 * that the store reported. A deletion completes only after that time, so no replica still relies on an earlier count.
 *
 * A lease begins when the request is sent, on the monotonic clock. It is renewed in the background while it is used.
 * Unused collections cost nothing. If the store is unavailable, the lease expires, and every lookup goes to the store,
 * which is slower but never wrong.
 *
 * The position of the store's history is recorded: in this process, and in `HighWaterMarks` if knowledge outlives the
 * process. A response is compared with the position that was recorded before its request was sent. A position recorded
 * later proves nothing, because another replica may have asked later and got its response earlier. The store is then
 * asked again.
 */

import { toIngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import type { Log } from '../../telemetry/log.ts'
import type { VersionedStore } from '../store.ts'
import { laterStamp, type StoreVersion, sameTimeline, type VersionStamp } from '../store-version.ts'

/** Length of a lease in milliseconds. */
const LEASE_MS = 2_000

/**
 * How long a deletion waits, in milliseconds: the lease, one hundredth for clocks that run at different rates, and the
 * slack of a timer.
 */
export const LEASE_END_MS = LEASE_MS * 1.01 + 5

/** Age at which a used lease is renewed, in milliseconds, so that it does not expire. */
const RENEW_MS = LEASE_MS / 2

/** Maximum number of collections with leases. */
const MAX_COLLECTIONS = 10_000

/** Maximum number of requests per renewal, if other replicas record positions at the same time. */
const MAX_REQUESTS = 3

export interface VersionLease {
  readonly epoch: string
  readonly deletes: number
  /** Position of the store's history when the version was requested, or later. */
  readonly position: bigint
  /** Monotonic milliseconds when the version was requested. Everything committed before belongs to this version. */
  readonly requestedMs: number
}

export interface VersionLeases {
  /** Returns the current lease. Returns `undefined` if there is none, and requests one in the background. */
  current(collection: string): VersionLease | undefined
  /**
   * Like `current`, for leases whose position has been recorded outside. Always `undefined` without `highWaterMarks`.
   */
  recorded(collection: string): VersionLease | undefined
  /**
   * Requests a lease now. Resolves with a recorded lease that was requested after this call, if there is one. Never
   * rejects.
   */
  renewed(collection: string): Promise<VersionLease | undefined>
}

/** Storage that outlives this process and does not go back in time with the store. */
export interface HighWaterMarks {
  /**
   * Records the position of an epoch. Resolves with the highest position ever recorded for it, or `undefined` if it is
   * unknown.
   */
  raise(now: VersionStamp): Promise<VersionStamp | undefined>
}

export interface VersionLeasesDeps {
  readonly store: VersionedStore
  readonly clock: Clock
  readonly log: Log
  readonly highWaterMarks?: HighWaterMarks
}

export function createVersionLeases(deps: VersionLeasesDeps): VersionLeases {
  return new StoreVersionLeases(deps)
}

interface Kept {
  readonly latest: VersionLease
  readonly recorded: VersionLease | undefined
}

class StoreVersionLeases implements VersionLeases {
  readonly #deps: VersionLeasesDeps
  readonly #kept = new Map<string, Kept>()
  readonly #asking = new Map<string, Promise<void>>()
  /** The latest stamp that any lease has seen. The store's history must not fall behind it. */
  #latestStamp: VersionStamp | undefined

  constructor(deps: VersionLeasesDeps) {
    this.#deps = deps
  }

  current(collection: string): VersionLease | undefined {
    return this.#valid(collection, this.#kept.get(collection)?.latest)
  }

  recorded(collection: string): VersionLease | undefined {
    return this.#valid(collection, this.#kept.get(collection)?.recorded)
  }

  async renewed(collection: string): Promise<VersionLease | undefined> {
    // a running request may have been sent before this call
    await this.#asking.get(collection)
    const before = this.#kept.get(collection)?.recorded
    await this.#renew(collection)
    const lease = this.#kept.get(collection)?.recorded
    return lease === before ? undefined : lease
  }

  #valid(collection: string, lease: VersionLease | undefined): VersionLease | undefined {
    const ageMs = lease === undefined ? Number.POSITIVE_INFINITY : this.#deps.clock.monotonicMs() - lease.requestedMs
    // runs in the background and logs its failures
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
      for (let question = 0; question < MAX_REQUESTS; question++) {
        outside = await this.#askOnce(collection, outside)
        if (outside === undefined) return
      }
    } catch (thrown) {
      this.#deps.log.warn({ code: toIngotError(thrown).code }, 'the version of the store is unknown at present')
    }
  }

  /** Returns the stamp that another replica recorded beyond this response, which requires another request. */
  async #askOnce(collection: string, outside: VersionStamp | undefined): Promise<VersionStamp | undefined> {
    const { store, clock, highWaterMarks } = this.#deps
    const before = this.#latestStamp
    const requestedMs = clock.monotonicMs()
    const version = await store.version(collection)
    if (wentBack(before, version) || wentBack(outside, version)) return this.#beginEpoch()
    this.#latestStamp = laterStamp(this.#latestStamp, version)
    const lease = { epoch: version.epoch, deletes: version.deletes, position: version.position, requestedMs }
    const older = this.#kept.get(collection)?.recorded
    this.#keep(collection, { latest: lease, recorded: sameVersion(older, lease) ? older : undefined })
    const furthest = await highWaterMarks?.raise(version)
    if (furthest === undefined) return undefined
    if (wentBack(furthest, version)) return furthest
    this.#keep(collection, { latest: lease, recorded: lease })
    return undefined
  }

  /** Begins an epoch, because the store lost a part of its history within the same epoch. */
  async #beginEpoch(): Promise<undefined> {
    this.#kept.clear()
    this.#latestStamp = undefined
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
