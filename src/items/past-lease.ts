/**
 * Leases on a store's past. For at most LEASE_MS a replica may rely on what the store said of its epoch and of a
 * collection's deletions; a deletion is answered only after that time, so no replica still relies on what was before it.
 *
 * A lease counts from the moment the question was sent, on the monotonic clock. It is renewed in the background while it
 * is used, and a collection that nobody asks for costs nothing. When the store is away the lease runs out, and with it
 * all that rests on it: then the store itself is asked, which is slower and never wrong.
 */
import type { Clock } from '../std/clock.ts'
import { toFault } from '../std/fault.ts'
import type { Log } from '../telemetry/log.ts'
import { type Noted, notedAfter, type Past, sameHistory } from './past.ts'
import type { StorePast } from './store.ts'

/** How long an answer of the store may be relied on. */
const LEASE_MS = 2_000

/** How long a deletion waits: the lease, one hundredth for clocks that run at different rates, and a timer's slack. */
export const FORGET_MS = LEASE_MS * 1.01 + 5

/** From here on a lease in use is renewed, so that it need not run out. */
const RENEW_MS = LEASE_MS / 2

/** Collections whose leases are kept. */
const MAX_COLLECTIONS = 10_000

export interface PastLease {
  readonly epoch: string
  readonly deletes: number
  /** When the store was asked, monotonic milliseconds: what was committed before is part of this past. */
  readonly askedMs: number
}

export interface PastLeases {
  /** The lease that holds now; undefined while there is none, which also asks for one. */
  current(collection: string): PastLease | undefined
}

export interface PastLeasesDeps {
  readonly store: StorePast
  readonly clock: Clock
  readonly log: Log
}

export function createPastLeases(deps: PastLeasesDeps): PastLeases {
  return new LeaseBook(deps)
}

class LeaseBook implements PastLeases {
  readonly #deps: PastLeasesDeps
  readonly #leases = new Map<string, PastLease>()
  readonly #asking = new Set<string>()
  /** The furthest that any lease has seen the store's history: it must not be told otherwise later. */
  #noted: Noted | undefined

  constructor(deps: PastLeasesDeps) {
    this.#deps = deps
  }

  current(collection: string): PastLease | undefined {
    const lease = this.#leases.get(collection)
    const ageMs = lease === undefined ? Number.POSITIVE_INFINITY : this.#deps.clock.monotonicMs() - lease.askedMs
    // runs by itself: its failures are told to the log
    if (ageMs > RENEW_MS) void this.#renew(collection)
    return ageMs < LEASE_MS ? lease : undefined
  }

  async #renew(collection: string): Promise<void> {
    if (this.#asking.has(collection)) return
    this.#asking.add(collection)
    const askedMs = this.#deps.clock.monotonicMs()
    try {
      const past = await this.#deps.store.past(collection)
      if (await this.#isTrue(past)) this.#keep(collection, { epoch: past.epoch, deletes: past.deletes, askedMs })
    } catch (thrown) {
      this.#deps.log.warn({ code: toFault(thrown).code }, 'the past of the store is not known now')
    } finally {
      this.#asking.delete(collection)
    }
  }

  /** False when the store has lost some of the history that it told before, in the same epoch: then a new one begins. */
  async #isTrue(past: Past): Promise<boolean> {
    if (this.#noted !== undefined && this.#noted.epoch === past.epoch && !sameHistory(this.#noted, past)) {
      this.#leases.clear()
      this.#noted = undefined
      const epoch = await this.#deps.store.startEpoch()
      this.#deps.log.warn({ epoch }, 'the store went back in time; a new epoch begins')
      return false
    }
    this.#noted = notedAfter(this.#noted, past)
    return true
  }

  #keep(collection: string, lease: PastLease): void {
    if (this.#leases.size >= MAX_COLLECTIONS) this.#leases.clear()
    this.#leases.set(collection, lease)
  }
}
