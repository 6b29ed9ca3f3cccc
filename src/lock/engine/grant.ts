/** A grant: one key or several keys held together, with the fences for stores. */
import { IngotError } from '../../errors/error.ts'
import type { FenceOf, Fencing, Key, Release, Unavailable } from '../lock.ts'
import { LockError } from '../lock-error.ts'
import type { HeldLease } from './lease.ts'

/** `remainingMs`: see the method of that name. */
export type ExtendOutcome =
  | { readonly kind: 'extended'; readonly remainingMs: number }
  | { readonly kind: 'lost' }
  | Unavailable

/** Several keys held together. The loss of one key ends the whole grant. `await using` releases it at the end of the block. */
export interface MultiGrant<F extends Fencing = Fencing> extends AsyncDisposable {
  /** Sorted, without duplicates. */
  readonly keys: readonly Key[]
  /**
   * Returns the fence to pass to the store with every write under this key. Throws `LOCK_KEY_INVALID` for a key not
   * held here.
   */
  fenceOf(key: Key): FenceOf<F>
  /**
   * Aborts with `LOCK_LOST` before any of the leases can expire at the service. A release never aborts it. Reading this
   * property checks the clock first, so `grant.signal.aborted` is correct even after the event loop was blocked. A
   * signal kept in a variable aborts only when its timer runs, which is late after a block. Call `isHeld` before
   * critical steps.
   */
  readonly signal: AbortSignal
  /** Returns true only while every lease is certainly valid, by the monotonic clock. */
  isHeld(): boolean
  /** Throws `LOCK_LOST` unless `isHeld()`. */
  assertHeld(): void
  /** Returns the milliseconds until the signal aborts if no further renewal succeeds; 0 when not held. */
  remainingMs(): number
  /**
   * Extends every lease to at least `ttlMs` from now. Use it before work that blocks the event loop for longer than the
   * lease. Never shortens a lease. Automatic renewal resumes with the grant's own length when at most two thirds of
   * that length are left. The maximum hold time restarts, because the call shows that the holder is alive.
   *
   * `ttlMs`: milliseconds, at most `maxHoldMs`. Default: the grant's own length. Returns `lost` if a lease was lost or
   * released; after a loss the signal has aborted. Returns `unavailable` if the service did not respond; the leases are
   * unchanged. Rejects with `LOCK_OPTION_INVALID`.
   */
  extend(ttlMs?: number): Promise<ExtendOutcome>
  /**
   * Releases every lease. Never rejects. Returns `lost` if any lease was lost: the work may have overlapped with the
   * next holder's, and only fences can tell. Returns `unavailable` if a reply is missing: the release is retried in the
   * background, and the lease expires by itself. A second call returns the first result.
   */
  release(): Promise<Release>
  /** Releases in the background, for use after a response was sent. */
  releaseSoon(): void
}

/** One key held. */
export interface Grant<F extends Fencing = Fencing> extends MultiGrant<F> {
  readonly key: Key
  /** Greater than the fence of every earlier grant of this key. `undefined` when the backend has no fences. */
  readonly fence: FenceOf<F>
}

/** Records the first lost lease of a grant. The signal is created when it is first read. */
export class Loss {
  #error: IngotError | undefined
  #controller: AbortController | undefined

  /** Records the loss. Later calls do nothing. */
  report(error: IngotError): void {
    if (this.#error !== undefined) return
    this.#error = error
    this.#controller?.abort(error)
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#error !== undefined) this.#controller.abort(this.#error)
    }
    return this.#controller.signal
  }

  check(): void {
    if (this.#error !== undefined) throw this.#error
  }
}

/** Returns the worst of several results. */
function worst(releases: readonly Release[]): Release {
  const lost = releases.find((r) => r.kind === 'lost')
  return lost ?? releases.find((r) => r.kind === 'unavailable') ?? { kind: 'released' }
}

class HeldGrant<F extends Fencing> implements Grant<F> {
  readonly key: Key
  readonly fence: FenceOf<F>
  readonly keys: readonly Key[]
  readonly #leases: HeldLeases<F>
  readonly #loss: Loss
  #releasing: Promise<Release> | undefined

  constructor(leases: HeldLeases<F>, loss: Loss) {
    this.key = leases[0].key
    this.fence = leases[0].fence
    this.keys = leases.map((h) => h.key)
    this.#leases = leases
    this.#loss = loss
  }

  fenceOf(key: Key): FenceOf<F> {
    const lease = this.#leases.find((h) => h.key === key)
    if (lease !== undefined) return lease.fence
    throw new IngotError('LOCK_KEY_INVALID', 'the key is not one of those held here')
  }

  get signal(): AbortSignal {
    // `lost` checks the clock: a loss found here aborts the controller
    for (const lease of this.#leases) lease.lost()
    return this.#loss.signal
  }

  isHeld(): boolean {
    return this.remainingMs() > 0
  }

  assertHeld(): void {
    if (this.isHeld()) return
    for (const lease of this.#leases) {
      const error = lease.lost()
      if (error !== undefined) throw error
    }
    throw new LockError('lost', 'LOCK_LOST', 'the lock was already released')
  }

  remainingMs(): number {
    let least = Number.POSITIVE_INFINITY
    for (const lease of this.#leases) least = Math.min(least, lease.remainingMs())
    return Math.max(0, least)
  }

  async extend(ttlMs?: number): Promise<ExtendOutcome> {
    const results = await Promise.all(this.#leases.map((h) => h.extend(ttlMs)))
    const bad = results.find((a) => a.kind === 'lost') ?? results.find((a) => a.kind === 'unavailable')
    if (bad !== undefined) return bad
    const remainingMs = this.remainingMs()
    return remainingMs > 0 ? { kind: 'extended', remainingMs } : { kind: 'lost' }
  }

  release(): Promise<Release> {
    this.#releasing ??= this.#release()
    return this.#releasing
  }

  #release(): Promise<Release> {
    const [first, ...rest] = this.#leases
    return rest.length === 0 ? first.release() : Promise.all(this.#leases.map((h) => h.release())).then(worst)
  }

  releaseSoon(): void {
    void this.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}

/** At least one lease, in the order in which they were acquired. */
export type HeldLeases<F extends Fencing> = readonly [HeldLease<F>, ...HeldLease<F>[]]

/** Creates a grant. `loss` records the first lost lease. Key and fence are those of the first lease. */
export function createGrant<F extends Fencing>(leases: HeldLeases<F>, loss: Loss): Grant<F> {
  return new HeldGrant(leases, loss)
}
