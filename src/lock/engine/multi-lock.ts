/**
 * One key or several, all or none. Keys are taken in sorted order, in the local lines as at the backend: of two callers
 * that want the same keys, one is first at the first key they share, and the other holds nothing that it needs.
 */
import type { IngotError } from '../../std/error.ts'
import type { Attempt, Fencing, Key, Unavailable } from '../lock.ts'
import { isTimeUp } from '../lock-error.ts'
import { unavailable } from '../outage.ts'
import type { Terms } from '../policy.ts'
import type { AcquireDeadline } from './acquire-deadline.ts'
import { Acquisition, type NotGranted, timeUpError, type Wish } from './acquisition.ts'
import type { HeldLeases } from './grant.ts'
import type { HeldLease, HeldLeaseDeps } from './lease.ts'
import { Loss } from './loss.ts'
import type { LocalQueue, LocalTurn } from './wait-queue.ts'

export interface MultiLockDeps<F extends Fencing> extends HeldLeaseDeps<F> {
  readonly localQueue: LocalQueue
}

/** What was taken, and what aborts when any of it is lost. */
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

/** What a key is told that a short answer left out. */
const noAnswer = (): Unavailable => unavailable('the lock service answered for fewer keys than it was asked for')

/** A claim under way: what it holds must be given back unless all of it is got. */
class MultiLockAttempt<F extends Fencing> {
  readonly #deps: MultiLockDeps<F>
  readonly #terms: Terms
  readonly #loss = new Loss()
  readonly #turns: LocalTurn[] = []
  readonly #holdings: HeldLease<F>[] = []

  constructor(deps: MultiLockDeps<F>, terms: Terms) {
    this.#deps = deps
    this.#terms = terms
  }

  untilGranted(keys: Keys, patience: AcquireDeadline): Promise<MultiLock<F>> {
    return keys.length === 1 ? this.#one(keys[0], patience) : this.#all(keys, patience)
  }

  async #one(key: Key, patience: AcquireDeadline): Promise<MultiLock<F>> {
    patience.check()
    const turn = await this.#turn(key, patience)
    try {
      const holding = await this.#acquisition(key, turn).untilGranted(patience)
      return { kind: 'granted', leases: [holding], loss: this.#loss }
    } catch (thrown) {
      turn.leave()
      throw thrown
    }
  }

  /** Waits in line. A time that is up there is explained by what the first in line has heard. */
  async #turn(key: Key, patience: AcquireDeadline): Promise<LocalTurn> {
    const { localQueue: turns } = this.#deps
    const turn = turns.tryEnter(key)
    if (turn !== undefined) return turn
    patience.wait()
    try {
      return await turns.enter(key, patience.signal)
    } catch (thrown) {
      throw isTimeUp(thrown) ? timeUpError(turns.news(key), this.#terms.waitMs) : thrown
    }
  }

  async #all(keys: Keys, patience: AcquireDeadline): Promise<MultiLock<F>> {
    try {
      const acquisitions: Acquisition<F>[] = []
      for (const key of keys) acquisitions.push(this.#plan(key, await this.#turn(key, patience)))
      await this.#together(acquisitions, patience)
      for (const acquisition of acquisitions.slice(this.#holdings.length)) {
        this.#holdings.push(await acquisition.untilGranted(patience))
      }
      this.#loss.check()
      return this.#claimed()
    } catch (thrown) {
      this.#giveBack()
      throw thrown
    }
  }

  async once(keys: Keys, patience: AcquireDeadline): Promise<MultiLockOutcome<F>> {
    const acquisitions: Acquisition<F>[] = []
    for (const key of keys) {
      const turn = this.#deps.localQueue.tryEnter(key)
      if (turn === undefined) return this.#refused(this.#heard(key), key)
      acquisitions.push(this.#plan(key, turn))
    }
    const refusal = keys.length > 1 ? await this.#together(acquisitions, patience) : undefined
    if (refusal !== undefined) {
      // the keys behind it were declined already; what this one may have got without hearing of it goes back too
      acquisitions[this.#holdings.length]?.giveUp()
      return this.#refused(refusal, keys[this.#holdings.length] ?? keys[0])
    }
    return this.#oneByOne(acquisitions.slice(this.#holdings.length), patience)
  }

  /** What those who wait for the key in this process have heard of it. */
  #heard(key: Key): NotGranted {
    const news = this.#deps.localQueue.news(key)
    return typeof news === 'string' ? { kind: 'held', remainingMs: undefined } : { kind: 'unavailable', fault: news }
  }

  async #oneByOne(acquisitions: readonly Acquisition<F>[], patience: AcquireDeadline): Promise<MultiLockOutcome<F>> {
    for (const acquisition of acquisitions) {
      const outcome = await acquisition.once(patience)
      if (outcome.kind !== 'granted') return this.#refused(outcome, acquisition.key)
      this.#holdings.push(outcome.holding)
    }
    return this.#claimed()
  }

  #plan(key: Key, turn: LocalTurn): Acquisition<F> {
    this.#turns.push(turn)
    return this.#acquisition(key, turn)
  }

  #acquisition(key: Key, turn: LocalTurn): Acquisition<F> {
    const owner = { turn, onLost: (fault: IngotError) => this.#loss.report(fault) }
    const wish: Wish = { key, terms: this.#terms, owner }
    return new Acquisition(this.#deps, wish)
  }

  /**
   * Asks for all keys in one exchange. Kept is what was granted before the first refusal, which is answered: a key held
   * out of order while waiting for an earlier one is how deadlocks are made.
   */
  async #together(acquisitions: readonly Acquisition<F>[], patience: AcquireDeadline): Promise<NotGranted | undefined> {
    const { backend, policy } = this.#deps
    if (backend.tryAcquireMany === undefined) return undefined
    const sentMs = policy.clock.monotonicMs()
    using call = patience.call(this.#terms.callMs)
    const requests = acquisitions.map((a) => a.request(false))
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
      if (outcome.kind === 'granted') this.#holdings.push(outcome.holding)
      else refusal = outcome
    }
    return refusal
  }

  #claimed(): MultiLock<F> {
    const [first, ...rest] = this.#holdings
    if (first === undefined) throw new TypeError('a claim has at least one key')
    return { kind: 'granted', leases: [first, ...rest], loss: this.#loss }
  }

  #refused(outcome: NotGranted, key: Key): MultiLockOutcome<F> {
    this.#giveBack()
    return outcome.kind === 'held' ? { kind: 'held', key, remainingMs: outcome.remainingMs } : outcome
  }

  /** Leases give up their turns when their release has been answered; the other turns are given up at once. */
  #giveBack(): void {
    for (const holding of this.#holdings) void holding.release()
    for (const turn of this.#turns.slice(this.#holdings.length)) turn.leave()
  }
}

/** Waits for all keys. Rejects, holding nothing for longer than its release takes, as `Locker.acquire` says. */
export function acquireAll<F extends Fencing>(
  deps: MultiLockDeps<F>,
  terms: Terms,
  keys: Keys,
  patience: AcquireDeadline,
): Promise<MultiLock<F>> {
  return new MultiLockAttempt(deps, terms).untilGranted(keys, patience)
}

/** One attempt at all keys. */
export function acquireAllOnce<F extends Fencing>(
  deps: MultiLockDeps<F>,
  terms: Terms,
  keys: Keys,
  patience: AcquireDeadline,
): Promise<MultiLockOutcome<F>> {
  return new MultiLockAttempt(deps, terms).once(keys, patience)
}
