/**
 * Acquires one key or several, all or none. Keys are acquired in sorted order, in the local queues and at the backend.
 * Two callers with common keys therefore cannot deadlock: the one that is second at the first common key holds none of
 * the others.
 */
import type { IngotError } from '../../errors/error.ts'
import type { Attempt, Fencing, Key, Unavailable } from '../lock.ts'
import { isTimeUp } from '../lock-error.ts'
import { unavailable } from '../outage.ts'
import type { Terms } from '../policy.ts'
import { type AcquireRequest, Acquisition, type NotGranted, timeUpError } from './acquisition.ts'
import { type HeldLeases, Loss } from './grant.ts'
import type { HeldLease, HeldLeaseDeps } from './lease.ts'
import type { AcquireDeadline, LocalQueue, LocalTurn } from './waiting.ts'

export interface MultiLockDeps<F extends Fencing> extends HeldLeaseDeps<F> {
  readonly localQueue: LocalQueue
}

/** The leases, and the record of the first loss. */
export interface MultiLock<F extends Fencing> {
  readonly kind: 'granted'
  readonly leases: HeldLeases<F>
  readonly loss: Loss
}

export type MultiLockOutcome<F extends Fencing> =
  | MultiLock<F>
  | { readonly kind: 'held'; readonly key: Key; readonly remainingMs: number | undefined }
  | Unavailable

/** Sorted, each once. */
export type Keys = readonly [Key, ...Key[]]

/** Returns the outcome of a key that is missing in the backend's result. */
const noAnswer = (): Unavailable => unavailable('the lock service returned fewer outcomes than keys')

/** A multi-lock attempt. Its leases are released unless all keys are acquired. */
class MultiLockAttempt<F extends Fencing> {
  readonly #deps: MultiLockDeps<F>
  readonly #terms: Terms
  readonly #loss = new Loss()
  readonly #turns: LocalTurn[] = []
  readonly #leases: HeldLease<F>[] = []

  constructor(deps: MultiLockDeps<F>, terms: Terms) {
    this.#deps = deps
    this.#terms = terms
  }

  untilGranted(keys: Keys, deadline: AcquireDeadline): Promise<MultiLock<F>> {
    return keys.length === 1 ? this.#one(keys[0], deadline) : this.#all(keys, deadline)
  }

  async #one(key: Key, deadline: AcquireDeadline): Promise<MultiLock<F>> {
    deadline.check()
    const turn = await this.#turn(key, deadline)
    try {
      const lease = await this.#acquisition(key, turn).untilGranted(deadline)
      return { kind: 'granted', leases: [lease], loss: this.#loss }
    } catch (thrown) {
      turn.leave()
      throw thrown
    }
  }

  /** Waits in the local queue. A timeout there is reported as the last outcome that the first waiter got. */
  async #turn(key: Key, deadline: AcquireDeadline): Promise<LocalTurn> {
    const { localQueue } = this.#deps
    const turn = localQueue.tryEnter(key)
    if (turn !== undefined) return turn
    deadline.wait()
    try {
      return await localQueue.enter(key, deadline.signal)
    } catch (thrown) {
      throw isTimeUp(thrown) ? timeUpError(localQueue.lastOutcome(key), this.#terms.waitMs) : thrown
    }
  }

  async #all(keys: Keys, deadline: AcquireDeadline): Promise<MultiLock<F>> {
    try {
      const acquisitions: Acquisition<F>[] = []
      for (const key of keys) acquisitions.push(this.#plan(key, await this.#turn(key, deadline)))
      await this.#together(acquisitions, deadline)
      for (const acquisition of acquisitions.slice(this.#leases.length)) {
        this.#leases.push(await acquisition.untilGranted(deadline))
      }
      this.#loss.check()
      return this.#granted()
    } catch (thrown) {
      this.#giveBack()
      throw thrown
    }
  }

  async once(keys: Keys, deadline: AcquireDeadline): Promise<MultiLockOutcome<F>> {
    const acquisitions: Acquisition<F>[] = []
    for (const key of keys) {
      const turn = this.#deps.localQueue.tryEnter(key)
      if (turn === undefined) return this.#refused(this.#lastOutcome(key), key)
      acquisitions.push(this.#plan(key, turn))
    }
    const refusal = keys.length > 1 ? await this.#together(acquisitions, deadline) : undefined
    if (refusal !== undefined) {
      // the later keys were declined already; this key may have been acquired with a lost reply
      acquisitions[this.#leases.length]?.giveUp()
      return this.#refused(refusal, keys[this.#leases.length] ?? keys[0])
    }
    return this.#oneByOne(acquisitions.slice(this.#leases.length), deadline)
  }

  /** Returns the last outcome that the waiters of this process got for the key. */
  #lastOutcome(key: Key): NotGranted {
    const last = this.#deps.localQueue.lastOutcome(key)
    return typeof last === 'string' ? { kind: 'held', remainingMs: undefined } : { kind: 'unavailable', error: last }
  }

  async #oneByOne(acquisitions: readonly Acquisition<F>[], deadline: AcquireDeadline): Promise<MultiLockOutcome<F>> {
    for (const acquisition of acquisitions) {
      const outcome = await acquisition.once(deadline)
      if (outcome.kind !== 'granted') return this.#refused(outcome, acquisition.key)
      this.#leases.push(outcome.lease)
    }
    return this.#granted()
  }

  #plan(key: Key, turn: LocalTurn): Acquisition<F> {
    this.#turns.push(turn)
    return this.#acquisition(key, turn)
  }

  #acquisition(key: Key, turn: LocalTurn): Acquisition<F> {
    const owner = { turn, onLost: (error: IngotError) => this.#loss.report(error) }
    const request: AcquireRequest = { key, terms: this.#terms, owner }
    return new Acquisition(this.#deps, request)
  }

  /**
   * Tries all keys in one exchange. Returns the first refusal and keeps only the grants before it: holding a later key
   * while waiting for an earlier one could deadlock.
   */
  async #together(acquisitions: readonly Acquisition<F>[], deadline: AcquireDeadline): Promise<NotGranted | undefined> {
    const { backend, policy } = this.#deps
    if (backend.tryAcquireMany === undefined) return undefined
    const sentMs = policy.clock.monotonicMs()
    using call = deadline.call(this.#terms.callMs)
    const requests = acquisitions.map((a) => a.leaseRequest(false))
    const attempts = await backend.tryAcquireMany(requests, call.signal)
    return this.#keepPrefix(acquisitions, attempts, sentMs)
  }

  #keepPrefix(
    acquisitions: readonly Acquisition<F>[],
    attempts: readonly Attempt<F>[],
    sentMs: number,
  ): NotGranted | undefined {
    let refusal: NotGranted | undefined
    for (const [i, acquisition] of acquisitions.entries()) {
      const attempt = attempts[i] ?? noAnswer()
      if (refusal !== undefined) {
        acquisition.decline(attempt)
        continue
      }
      const outcome = acquisition.accept(attempt, sentMs)
      if (outcome.kind === 'granted') this.#leases.push(outcome.lease)
      else refusal = outcome
    }
    return refusal
  }

  #granted(): MultiLock<F> {
    const [first, ...rest] = this.#leases
    if (first === undefined) throw new TypeError('a multi-lock has at least one key')
    return { kind: 'granted', leases: [first, ...rest], loss: this.#loss }
  }

  #refused(outcome: NotGranted, key: Key): MultiLockOutcome<F> {
    this.#giveBack()
    return outcome.kind === 'held' ? { kind: 'held', key, remainingMs: outcome.remainingMs } : outcome
  }

  /** Releases the leases, whose turns end with the release. Ends the other turns at once. */
  #giveBack(): void {
    for (const lease of this.#leases) void lease.release()
    for (const turn of this.#turns.slice(this.#leases.length)) turn.leave()
  }
}

/** Waits for all keys. Rejects as `Locker.acquire` does. Leases acquired until then are being released. */
export function acquireAll<F extends Fencing>(
  deps: MultiLockDeps<F>,
  terms: Terms,
  keys: Keys,
  deadline: AcquireDeadline,
): Promise<MultiLock<F>> {
  return new MultiLockAttempt(deps, terms).untilGranted(keys, deadline)
}

/** Makes one attempt at all keys. */
export function acquireAllOnce<F extends Fencing>(
  deps: MultiLockDeps<F>,
  terms: Terms,
  keys: Keys,
  deadline: AcquireDeadline,
): Promise<MultiLockOutcome<F>> {
  return new MultiLockAttempt(deps, terms).once(keys, deadline)
}
