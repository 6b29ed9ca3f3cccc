/**
 * The policy of locks, once for all backends: waiting with a deadline, retries with full jitter, renewal up to a
 * maximum hold time, one line per key inside the process, several keys in one order, and repair of lost answers.
 */
import { Fault } from '../std/fault.ts'
import { createAbandoner } from './abandon.ts'
import type { LockBackend } from './backend.ts'
import { type ClaimDeps, claimAll, claimOnce, type Keys } from './claim.ts'
import { createDeadline } from './deadline.ts'
import { type Claim, createGrant, type Grant } from './grant.ts'
import type { Fencing, Key, Unavailable } from './lock.ts'
import {
  type AcquireOptions,
  type LockerOptions,
  type Policy,
  policyOf,
  type Terms,
  termsOf,
  type WaitOptions,
} from './policy.ts'
import { checkKey, createTokenSource } from './token.ts'
import { createTurns } from './turns.ts'

/** For calls that nobody means to cut short; they end by their own time-outs. */
const NEVER = new AbortController().signal

/** The answer to one attempt. `key` is the one that somebody else holds. */
export type TryOutcome<G> =
  | { readonly kind: 'granted'; readonly grant: G }
  | { readonly kind: 'held'; readonly key: Key; readonly remainingMs: number | undefined }
  | Unavailable

export interface Locker<F extends Fencing = Fencing> extends AsyncDisposable {
  /**
   * Waits for the key, or for all of the keys; several are taken sorted and each once, so that two callers never block
   * each other for good. Rejects, holding nothing, with `LOCK_TIMEOUT` (another held it for all of `waitMs`), the
   * signal's reason, `LOCK_BACKEND_UNAVAILABLE` or the backend's own code (an outage for all of `waitMs`),
   * `LOCK_BREAKER_OPEN` (at once), `LOCK_LOST` (of several keys, one was lost while waiting for another), `OVERLOADED`,
   * `LOCK_KEY_INVALID`, `LOCK_OPTION_INVALID` or `SHUTTING_DOWN`.
   */
  acquire(key: Key, options?: WaitOptions): Promise<Grant<F>>
  acquire(keys: readonly Key[], options?: WaitOptions): Promise<Claim<F>>
  /** One attempt, without waiting: contention and outages are values. Rejects only for invalid input or shutdown. */
  tryAcquire(key: Key, options?: AcquireOptions): Promise<TryOutcome<Grant<F>>>
  tryAcquire(keys: readonly Key[], options?: AcquireOptions): Promise<TryOutcome<Claim<F>>>
  /**
   * Acquires, works, releases. Rejects as `acquire` does, with what the work throws, or with `LOCK_LOST` when the lease
   * ended before the work did: what it wrote without a fence may have overlapped with another holder's work.
   */
  withLock<T>(key: Key, work: (grant: Grant<F>) => Promise<T>, options?: WaitOptions): Promise<T>
  withLock<T>(keys: readonly Key[], work: (claim: Claim<F>) => Promise<T>, options?: WaitOptions): Promise<T>
  /** Refuses new acquisitions and waits for the releases under way. Grants stay their holders'; the backend stays open. */
  [Symbol.asyncDispose](): Promise<void>
}

function timeUp(waitMs: number): Fault {
  return new Fault('LOCK_TIMEOUT', `the lock was not free within ${waitMs} ms`, { facts: { waitMs } })
}

class PolicyLocker<F extends Fencing> implements Locker<F> {
  readonly #deps: ClaimDeps<F>
  #closed = false

  constructor(backend: LockBackend<F>, policy: Policy) {
    const abandoner = createAbandoner(backend, policy.clock, policy.callMs)
    const turns = createTurns(policy.maxWaiting)
    this.#deps = { backend, policy, abandoner, turns, newToken: createTokenSource() }
  }

  async acquire(wanted: Key | readonly Key[], options: WaitOptions = {}): Promise<Grant<F>> {
    const { policy, backend } = this.#deps
    const [keys, terms] = this.#read(wanted, options)
    const { clock, measures } = policy
    const beganMs = clock.monotonicMs()
    const fault = (): Fault => timeUp(terms.waitMs)
    using deadline = createDeadline({ clock, ms: terms.waitMs, fault, parent: options.signal })
    let outcome: 'granted' | 'failed' = 'failed'
    try {
      const { holdings, loss } = await claimAll(this.#deps, terms, keys, deadline.signal)
      outcome = 'granted'
      return createGrant(holdings, loss)
    } finally {
      measures.waited(backend.name, outcome, clock.monotonicMs() - beganMs)
    }
  }

  async tryAcquire(wanted: Key | readonly Key[], options: AcquireOptions = {}): Promise<TryOutcome<Grant<F>>> {
    const [keys, terms] = this.#read(wanted, options)
    const outcome = await claimOnce(this.#deps, terms, keys, options.signal ?? NEVER)
    if (outcome.kind !== 'granted') return outcome
    return { kind: 'granted', grant: createGrant(outcome.holdings, outcome.loss) }
  }

  async withLock<T>(
    wanted: Key | readonly Key[],
    work: (grant: Grant<F>) => Promise<T>,
    options?: WaitOptions,
  ): Promise<T> {
    const grant = await this.acquire(wanted, options)
    try {
      const result = await work(grant)
      grant.assertHeld()
      return result
    } finally {
      await grant.release()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await this.#deps.abandoner.settled()
  }

  /** What was asked for, checked. */
  #read(wanted: Key | readonly Key[], options: WaitOptions): readonly [Keys, Terms] {
    if (this.#closed) throw new Fault('SHUTTING_DOWN', 'the locker is closed')
    const [first, ...rest] = [...new Set(typeof wanted === 'string' ? [wanted] : wanted)].toSorted()
    if (first === undefined) throw new Fault('LOCK_KEY_INVALID', 'no key was given to lock')
    return [[checkKey(first), ...rest.map(checkKey)], termsOf(this.#deps.policy, options)]
  }
}

/** The policy over a backend. Connects to nothing and starts nothing. Throws `LOCK_OPTION_INVALID`. */
export function createLocker<F extends Fencing>(backend: LockBackend<F>, options: LockerOptions = {}): Locker<F> {
  return new PolicyLocker(backend, policyOf(options))
}
