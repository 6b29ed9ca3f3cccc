/**
 * Implements the policy of locks, once for all backends: waiting with a deadline, retries with full jitter, renewal up
 * to a maximum hold time, one local queue per key, several keys in one order, and recovery from lost replies.
 */

import { IngotError } from '../errors/error.ts'
import { createDeadline } from '../std/deadline.ts'
import type { LockBackend } from './backend.ts'
import { createBackgroundReleases } from './engine/background-release.ts'
import { createGrant, type Grant, type MultiGrant } from './engine/grant.ts'
import { type LeaderWork, type LeadOptions, type LeadOutcome, lead } from './engine/leader.ts'
import { acquireAll, acquireAllOnce, type Keys, type MultiLockDeps } from './engine/multi-lock.ts'
import { createSemaphore, type Semaphore, type SemaphoreOptions } from './engine/semaphore.ts'
import {
  AcquireDeadline,
  type CallSignals,
  createCallSignals,
  createLocalQueue,
  createWaiterLimit,
  type WaiterLimit,
} from './engine/waiting.ts'
import type { Fencing, Inspection, Key, Unavailable } from './lock.ts'
import { closedError, heldError } from './lock-error.ts'
import { type LockObservation, mergeObservations } from './observation.ts'
import { callTimeUp } from './outage.ts'
import { type AcquireOptions, type LockerOptions, type Policy, policyOf, termsOf, type WaitOptions } from './policy.ts'
import { checkKey, createTokenSource } from './token.ts'

/** The outcome of one attempt. `key` is the first key that another holder has. */
export type TryOutcome<G> =
  | { readonly kind: 'granted'; readonly grant: G }
  | { readonly kind: 'held'; readonly key: Key; readonly remainingMs: number | undefined }
  | Unavailable

export interface Locker<F extends Fencing = Fencing> extends AsyncDisposable {
  /**
   * Waits for the key, or for all of the keys. Several keys are sorted and deduplicated before they are acquired, so
   * that two callers never deadlock. When it rejects, the caller holds no key.
   *
   * Rejects with the signal's reason, with `LOCK_KEY_INVALID` or `LOCK_OPTION_INVALID`, or with a `LockError` whose
   * `reason` is one of:
   * - `held` (`LOCK_TIMEOUT`): another holder had the key when `waitMs` ended.
   * - `unanswered` (`LOCK_TIMEOUT`): the lock service did not respond within `waitMs`.
   * - `unavailable` (the backend's code): an outage when `waitMs` ended. Rejects at once for `LOCK_BREAKER_OPEN` and for
   *   a key that cannot be served.
   * - `lost` (`LOCK_LOST`): of several keys, one was lost while waiting for another.
   * - `overloaded` (`OVERLOADED`): too many callers wait.
   * - `closed` (`SHUTTING_DOWN`): the locker was disposed before or during the call.
   */
  acquire(key: Key, options?: WaitOptions): Promise<Grant<F>>
  acquire(keys: readonly Key[], options?: WaitOptions): Promise<MultiGrant<F>>
  /** Makes one attempt without waiting. Returns contention and outages as values. Rejects for invalid input, overload or shutdown. */
  tryAcquire(key: Key, options?: AcquireOptions): Promise<TryOutcome<Grant<F>>>
  tryAcquire(keys: readonly Key[], options?: AcquireOptions): Promise<TryOutcome<MultiGrant<F>>>
  /**
   * Acquires the lock, runs the work and releases the lock. Rejects as `acquire` does, with the error of the work, or
   * with `LOCK_LOST` if the lease ended before the work did. Writes without a fence may then have overlapped with
   * another holder's work.
   */
  withLock<T>(key: Key, work: (grant: Grant<F>) => Promise<T>, options?: WaitOptions): Promise<T>
  withLock<T>(keys: readonly Key[], work: (grant: MultiGrant<F>) => Promise<T>, options?: WaitOptions): Promise<T>
  /**
   * Returns the current state of the key. A key that is reserved for the next waiter is `free`. The state may change
   * before the result arrives, so use it for display only. Rejects only for an invalid key or shutdown.
   */
  inspect(key: Key): Promise<Inspection>
  /**
   * Returns the keys that this locker holds and waits for, also those of its semaphores and leaders. Asks no lock
   * service.
   */
  observe(): LockObservation
  /**
   * Returns the semaphore of that name: at most `permits` holders at once in all processes, each with its own lease and
   * fence. Sends nothing yet. Throws `LOCK_KEY_INVALID` or `LOCK_OPTION_INVALID`.
   */
  semaphore(name: string, options: SemaphoreOptions): Semaphore<F>
  /**
   * Runs `work` while this process leads, which means that it holds the key. The key is renewed without limit unless
   * `maxHoldMs` is given. Campaigns until it leads, also through outages. The work's `signal` aborts when the leadership
   * is lost or the caller's signal aborts; the work should then end. After a loss, it campaigns again once the work has
   * ended. It resigns when the work returns or throws, or when the caller's signal has aborted and the work has ended.
   *
   * Resolves with `done` and the work's result, or with `aborted`. Rejects with the error of the work. After an abort or
   * a loss, these errors of the work count as a normal end: the signal's reason, an error with that reason as its cause,
   * and an `AbortError`. Also rejects with errors that no waiting resolves, such as `LOCK_KEY_INVALID`, `LOCK_OPTION_INVALID`,
   * `REDIS_ACCESS_REFUSED` or `SHUTTING_DOWN`. `inspect(key)` returns whether a process leads, and its fence.
   */
  lead<T>(key: Key, work: LeaderWork<F, T>, options?: LeadOptions<F>): Promise<LeadOutcome<T>>
  /**
   * Reports that a store refused a write with this grant's fence as stale. Another server may have become primary
   * unnoticed. Backends where that is possible check the next grants with the fence store.
   */
  fenceRefused(key: Key, fence: bigint): void
  /**
   * Refuses new acquisitions, ends waiting ones with `SHUTTING_DOWN` at once, and waits for running releases. Existing
   * grants stay valid, and the backend stays open. Waits at most `closeMs` for releases that get no response.
   */
  [Symbol.asyncDispose](): Promise<void>
}

const nothing = (): void => {}

interface Inside<F extends Fencing> {
  readonly gate: Locker<F>
  readonly quiet: Locker<F>
}

class PolicyLocker<F extends Fencing> implements Locker<F> {
  readonly #deps: MultiLockDeps<F>
  readonly #waiterLimit: WaiterLimit
  /** Signals for attempts. Releases use other signals, which closing the locker does not abort. */
  readonly #attempts: CallSignals
  readonly #running = new Set<AcquireDeadline>()
  #closed = false
  #inner: Inside<F> | undefined

  constructor(backend: LockBackend<F>, policy: Policy) {
    const { clock, callMs, closeMs } = policy
    const calls = createCallSignals(clock)
    const backgroundReleases = createBackgroundReleases(backend, { clock, calls, callMs, closeMs })
    this.#waiterLimit = createWaiterLimit(policy.maxWaiting)
    this.#attempts = createCallSignals(clock)
    this.#deps = {
      backend,
      policy,
      backgroundReleases,
      localQueue: createLocalQueue(),
      calls,
      newToken: createTokenSource(),
    }
  }

  async acquire(wanted: Key | readonly Key[], options: WaitOptions = {}): Promise<Grant<F>> {
    const { policy, backend } = this.#deps
    const keys = this.#keysOf(wanted)
    const terms = termsOf(policy, options)
    const { clock, measures } = policy
    const beganMs = clock.monotonicMs()
    const deadline = this.#begin(keys, terms.waitMs, options.signal, beganMs)
    let outcome: 'granted' | 'failed' = 'failed'
    measures.waiting(1)
    try {
      const { leases, loss } = await acquireAll(this.#deps, terms, keys, deadline)
      outcome = 'granted'
      return createGrant(leases, loss)
    } finally {
      this.#end(deadline)
      measures.waiting(-1)
      measures.waited(backend.name, outcome, clock.monotonicMs() - beganMs)
    }
  }

  async tryAcquire(wanted: Key | readonly Key[], options: AcquireOptions = {}): Promise<TryOutcome<Grant<F>>> {
    const { policy } = this.#deps
    const keys = this.#keysOf(wanted)
    const terms = termsOf(policy, options)
    const deadline = this.#begin(keys, Number.POSITIVE_INFINITY, options.signal, policy.clock.monotonicMs())
    try {
      const outcome = await acquireAllOnce(this.#deps, terms, keys, deadline)
      if (outcome.kind === 'unavailable' && this.#closed) throw closedError()
      if (outcome.kind !== 'granted') return outcome
      return { kind: 'granted', grant: createGrant(outcome.leases, outcome.loss) }
    } finally {
      this.#end(deadline)
    }
  }

  fenceRefused(key: Key, fence: bigint): void {
    this.#deps.backend.fenceRefused?.(key, fence)
  }

  /** Registers an acquisition. Until `end`, closing the locker aborts it and waits for its releases. Throws `OVERLOADED`. */
  #begin(keys: Keys, waitMs: number, parent: AbortSignal | undefined, nowMs: number): AcquireDeadline {
    const { policy, backgroundReleases } = this.#deps
    backgroundReleases.checkCapacity()
    const { clock } = policy
    const terms = { keys, clock, calls: this.#attempts, waitMs, timeoutError: () => heldError(waitMs), parent }
    const deadline = new AcquireDeadline({ ...terms, waiterLimit: this.#waiterLimit }, nowMs)
    backgroundReleases.begin()
    this.#running.add(deadline)
    return deadline
  }

  #end(deadline: AcquireDeadline): void {
    deadline[Symbol.dispose]()
    this.#running.delete(deadline)
    this.#deps.backgroundReleases.end()
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

  async inspect(key: Key): Promise<Inspection> {
    const { backend, policy } = this.#deps
    const [checked] = this.#keysOf(key)
    using call = createDeadline({ clock: policy.clock, ms: policy.callMs, timeoutError: callTimeUp })
    return await backend.inspect(checked, call.signal)
  }

  observe(): LockObservation {
    const nowMs = this.#deps.policy.clock.monotonicMs()
    const held = this.#deps.localQueue.holders().map((lease) => lease.observe())
    const waiting = Array.from(this.#running, (deadline) => deadline.observe(nowMs))
    const own = { held, waiting: waiting.filter((one) => one !== undefined) }
    const inner = this.#inner === undefined ? [] : [this.#inner.gate.observe(), this.#inner.quiet.observe()]
    return mergeObservations([own, ...inner])
  }

  semaphore(name: string, options: SemaphoreOptions): Semaphore<F> {
    const { backend, policy } = this.#deps
    const { clock, random, measures } = policy
    const { gate, quiet } = this.#inside()
    const waited = (outcome: 'granted' | 'failed', ms: number): void => measures.waited(backend.name, outcome, ms)
    return createSemaphore({ gate, permits: quiet, clock, random, defaults: policy, waited }, name, options)
  }

  async lead<T>(key: Key, work: LeaderWork<F, T>, options: LeadOptions<F> = {}): Promise<LeadOutcome<T>> {
    this.#keysOf(key)
    const { clock, retry, random } = this.#deps.policy
    const { quiet } = this.#inside()
    return lead({ acquire: (wanted, terms) => quiet.acquire(wanted, terms), clock, retry, random }, key, work, options)
  }

  /** Returns the lockers for semaphores and leaders. Their waits are not measured as waits of callers. */
  #inside(): Inside<F> {
    if (this.#closed) throw closedError()
    const { backend, policy } = this.#deps
    const measures = { ...policy.measures, waited: nothing }
    this.#inner ??= {
      gate: new PolicyLocker(backend, {
        ...policy,
        measures: { ...measures, held: nothing, holding: nothing, lost: nothing },
      }),
      // waiters for permits have already passed the gate's limit
      quiet: new PolicyLocker(backend, { ...policy, measures, maxWaiting: Number.POSITIVE_INFINITY }),
    }
    return this.#inner
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    const reason = closedError()
    this.#attempts.end(reason)
    for (const deadline of this.#running) deadline.end(reason)
    await Promise.all([this.#inner?.gate[Symbol.asyncDispose](), this.#inner?.quiet[Symbol.asyncDispose]()])
    await this.#deps.backgroundReleases.settle()
  }

  /** Validates the keys, and sorts and deduplicates several of them. */
  #keysOf(wanted: Key | readonly Key[]): Keys {
    if (this.#closed) throw closedError()
    if (typeof wanted === 'string') return [checkKey(wanted)]
    const [first, ...rest] = [...new Set(wanted)].toSorted()
    if (first === undefined) throw new IngotError('LOCK_KEY_INVALID', 'no key was given to lock')
    return [checkKey(first), ...rest.map(checkKey)]
  }
}

/** Creates a locker on a backend. Opens no connection and starts no work. Throws `LOCK_OPTION_INVALID`. */
export function createLocker<F extends Fencing>(backend: LockBackend<F>, options: LockerOptions = {}): Locker<F> {
  return new PolicyLocker(backend, policyOf(options, backend.capabilities.maxTtlMs))
}
