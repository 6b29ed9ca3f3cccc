/** What a caller holds: one key, or several taken together, with the proof to show to stores. */
import { IngotError } from '../../std/error.ts'
import type { FenceOf, Fencing, Key, Release, Unavailable } from '../lock.ts'
import { LockError } from '../lock-error.ts'
import type { HeldLease } from './lease.ts'

/** `remainingMs` as the method of that name returns it. */
export type ExtendOutcome =
  | { readonly kind: 'extended'; readonly remainingMs: number }
  | { readonly kind: 'lost' }
  | Unavailable

/** Several keys held together. Losing one is losing the claim. `await using` releases it at the end of the block. */
export interface MultiGrant<F extends Fencing = Fencing> extends AsyncDisposable {
  /** In the order in which they were taken: sorted, each once. */
  readonly keys: readonly Key[]
  /** The fence to hand to the store with every write under this key. Throws `LOCK_KEY_INVALID` for a key not held here. */
  fenceOf(key: Key): FenceOf<F>
  /**
   * Aborts with `LOCK_LOST` before the first of the leases can end elsewhere; never because of a release. Reading this
   * property compares the clock first, so `grant.signal.aborted` is right even after the event loop was blocked. A
   * signal kept in a variable aborts when its timer runs, which after a block is late: ask `isHeld` before what matters.
   */
  readonly signal: AbortSignal
  /** Computed from the monotonic clock: true only while every lease certainly runs. */
  isHeld(): boolean
  /** Throws `LOCK_LOST` unless `isHeld()`. */
  assertHeld(): void
  /** Milliseconds until the signal aborts if no renewal succeeds any more; 0 when not held. */
  remainingMs(): number
  /**
   * Prolongs every lease now, to at least `ttlMs` from now, and says how that went. Use it before something that blocks
   * the event loop for longer than the lease. An extension never shortens a lease. Automatic renewal goes on with the
   * grant's own length when no more than two thirds of that are left, and the maximum hold time begins anew, because
   * the holder shows that it is alive. `ttlMs`: milliseconds, at most `maxHoldMs`. Default: the grant's own length.
   * `lost`: a lease was no longer ours, or was released; the signal has aborted. `unavailable`: no answer; the leases
   * run on as before. Rejects with `LOCK_OPTION_INVALID`.
   */
  extend(ttlMs?: number): Promise<ExtendOutcome>
  /**
   * Gives everything back and says how that went; never rejects. `lost` when any of the leases was no longer ours: the
   * work may have overlapped with the next holder's, and only fences can tell. `unavailable` when any answer is
   * missing: it is tried again in the background, and the lease ends by itself. A second call answers as the first.
   */
  release(): Promise<Release>
  /** Releases without making the caller wait, for use after an answer was sent. */
  releaseSoon(): void
}

/** One key held. */
export interface Grant<F extends Fencing = Fencing> extends MultiGrant<F> {
  readonly key: Key
  /** Greater than the fence of every earlier grant of this key. `undefined` when the backend has no fences. */
  readonly fence: FenceOf<F>
}

/** Records the first lost lease of a grant. The signal is made when it is first asked for. */
export class Loss {
  #error: IngotError | undefined
  #controller: AbortController | undefined

  /** The first error is the one that counts. */
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

/** Several answers as one: the worst of them. */
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
    // asking is what notices: a loss found here aborts the controller
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
    throw new LockError('lost', 'LOCK_LOST', 'the lock was released already')
  }

  remainingMs(): number {
    let least = Number.POSITIVE_INFINITY
    for (const lease of this.#leases) least = Math.min(least, lease.remainingMs())
    return Math.max(0, least)
  }

  async extend(ttlMs?: number): Promise<ExtendOutcome> {
    const answers = await Promise.all(this.#leases.map((h) => h.extend(ttlMs)))
    const bad = answers.find((a) => a.kind === 'lost') ?? answers.find((a) => a.kind === 'unavailable')
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

/** At least one lease, in the order in which they were taken. */
export type HeldLeases<F extends Fencing> = readonly [HeldLease<F>, ...HeldLease<F>[]]

/** `loss` is what the leases' owner aborts when one of them is lost. Key and fence are the first one's. */
export function createGrant<F extends Fencing>(leases: HeldLeases<F>, loss: Loss): Grant<F> {
  return new HeldGrant(leases, loss)
}
