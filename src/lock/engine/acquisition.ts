/**
 * Acquires one key: attempts, pauses, and cleanup after attempts whose outcome is unknown.
 *
 * All attempts of one acquisition use the same token. If a command took effect but its reply was lost, the next attempt
 * is granted the same lease. With a new token it would find the key held by its own earlier attempt.
 */
import { fullJitter } from '../../std/retry.ts'
import type { LeaseRequest } from '../backend.ts'
import type { Attempt, Fencing, Key, Token, Unavailable } from '../lock.ts'
import { heldError, isTimeUp, type LockError, outageError, unansweredError } from '../lock-error.ts'
import { unavailable } from '../outage.ts'
import type { Terms } from '../policy.ts'
import {
  createHeldLease,
  type Granted,
  type HeldLease,
  type HeldLeaseDeps,
  type LeaseOwner,
  safeEndMs,
} from './lease.ts'
import type { AcquireDeadline, LastOutcome } from './waiting.ts'

/** A request for one key. */
export interface AcquireRequest {
  readonly key: Key
  readonly terms: Terms
  readonly owner: LeaseOwner
}

type Refusal = Extract<Attempt<Fencing>, { kind: 'held' }>

export type NotGranted = Refusal | Unavailable

export type Outcome<F extends Fencing> =
  | { readonly kind: 'granted'; readonly lease: HeldLease<F> }
  | Refusal
  | Unavailable

/** A wait that ends sooner, in milliseconds, counts as early: the key was just freed, or the backend cannot wait. */
const EARLY_WAIT_MS = 5
/** After more early waits in a row than this, the backend is assumed to be unable to wait. */
const MAX_EARLY_WAITS = 3
/** After an attempt is unanswered for this long, in milliseconds, an earlier refusal no longer counts: the service may be down. */
const OUTDATED_MS = 100
/** Added to the remaining time of a lease, in milliseconds, so that the next attempt finds it expired. */
const AFTER_END_MS = 2

/** Returns true if a call with this outcome may have taken effect. */
function mayHaveTakenEffect(outcome: Unavailable): boolean {
  return outcome.scope !== 'key' && outcome.error.code !== 'LOCK_BREAKER_OPEN'
}

/** Returns the error of a wait that has timed out, based on the last outcome. */
export function timeUpError(lastOutcome: LastOutcome, waitMs: number): LockError {
  if (lastOutcome === 'held') return heldError(waitMs)
  return lastOutcome === 'nothing' ? unansweredError(waitMs) : outageError(lastOutcome)
}

export class Acquisition<F extends Fencing> {
  readonly #deps: HeldLeaseDeps<F>
  readonly #request: AcquireRequest
  #delays: Generator<number, void> | undefined
  #token: Token
  /** True while the backend may keep state for the token: a lease whose grant was lost, or a wait entry. */
  #trace = false
  /** Waits in a row that ended early. */
  #earlyWaits = 0

  constructor(deps: HeldLeaseDeps<F>, request: AcquireRequest) {
    this.#deps = deps
    this.#request = request
    this.#token = deps.newToken()
  }

  get key(): Key {
    return this.#request.key
  }

  /** Makes one attempt. Cleans up unless it was granted. */
  async once(deadline: AcquireDeadline): Promise<Outcome<F>> {
    const sentMs = this.#deps.policy.clock.monotonicMs()
    const outcome = this.accept(await this.#ask(false, deadline, sentMs), sentMs)
    if (outcome.kind !== 'granted') this.#cleanUp()
    return outcome
  }

  /** Retries until granted. Rejects with the signal's reason, `OVERLOADED`, or the last error when the time is up. */
  async untilGranted(deadline: AcquireDeadline): Promise<HeldLease<F>> {
    const { clock } = this.#deps.policy
    try {
      for (;;) {
        const sentMs = clock.monotonicMs()
        const outcome = this.accept(await this.#ask(true, deadline, sentMs), sentMs)
        if (outcome.kind === 'granted') return outcome.lease
        deadline.wait()
        if (outcome.kind === 'unavailable') await this.#afterOutage(outcome, deadline, sentMs)
        else await this.#afterRefusal(outcome, deadline)
      }
    } catch (thrown) {
      this.#cleanUp()
      throw isTimeUp(thrown) ? timeUpError(this.#request.owner.turn.lastOutcome, this.#request.terms.waitMs) : thrown
    }
  }

  /** Processes the outcome of an attempt with this token, also of an attempt that was sent by the caller. */
  accept(attempt: Attempt<F>, sentMs: number): Outcome<F> {
    if (attempt.kind === 'held') {
      this.#report('held')
      this.#trace ||= attempt.ticket !== undefined
      return attempt
    }
    if (attempt.kind === 'unavailable') {
      this.#trace ||= mayHaveTakenEffect(attempt)
      return attempt
    }
    const { key, terms, owner } = this.#request
    const ttlMs = Math.min(terms.ttlMs, attempt.ttlMs)
    if (safeEndMs(sentMs, ttlMs) <= this.#deps.policy.clock.monotonicMs()) return this.#tooLate()
    const granted: Granted<F> = { key, token: this.#token, fence: attempt.fence, sentMs, ttlMs }
    this.#trace = false
    this.#report('held')
    const lease = createHeldLease(this.#deps, terms, granted, owner)
    owner.turn.hold(lease)
    return { kind: 'granted', lease }
  }

  /** Ends the acquisition without a grant: releases in the background whatever an attempt may have left behind. */
  giveUp(): void {
    this.#cleanUp()
  }

  /** Releases what an unneeded attempt may have acquired. */
  decline(attempt: Attempt<F>): void {
    if (attempt.kind !== 'held') this.#trace = true
    this.#cleanUp()
    this.#token = this.#deps.newToken()
  }

  leaseRequest(willWait: boolean): LeaseRequest {
    const { key, terms } = this.#request
    return { key, token: this.#token, ttlMs: terms.ttlMs, willWait }
  }

  #ask(willWait: boolean, deadline: AcquireDeadline, nowMs: number): Promise<Attempt<F>> {
    const { callMs } = this.#request.terms
    const signal = deadline.shared(callMs, nowMs)
    if (signal === undefined) return this.#askAlone(willWait, deadline)
    return this.#deps.backend.tryAcquire(this.leaseRequest(willWait), signal)
  }

  async #askAlone(willWait: boolean, deadline: AcquireDeadline): Promise<Attempt<F>> {
    using call = deadline.call(this.#request.terms.callMs)
    return await this.#deps.backend.tryAcquire(this.leaseRequest(willWait), call.signal)
  }

  /** Releases a grant that arrived after its lease had ended. The next attempt uses a new token. */
  #tooLate(): Unavailable {
    this.#trace = true
    this.#cleanUp()
    this.#token = this.#deps.newToken()
    return unavailable('the grant arrived too late to be used')
  }

  async #afterOutage(outage: Unavailable, deadline: AcquireDeadline, sentMs: number): Promise<void> {
    const silentMs = this.#deps.policy.clock.monotonicMs() - sentMs
    // an attempt that the deadline cut short has no outcome; after a long silence the earlier refusal is outdated
    if (silentMs > OUTDATED_MS && this.#request.owner.turn.lastOutcome === 'held') this.#report('nothing')
    deadline.check()
    this.#report(outage.error)
    if (outage.scope === 'key' || outage.error.code === 'LOCK_BREAKER_OPEN') throw outageError(outage.error)
    await this.#sleep(deadline.signal)
  }

  #report(lastOutcome: LastOutcome): void {
    this.#request.owner.turn.report(lastOutcome)
  }

  async #afterRefusal(refusal: Refusal, deadline: AcquireDeadline): Promise<void> {
    deadline.check()
    const { backend, policy } = this.#deps
    if (backend.wait === undefined || refusal.ticket === undefined) {
      return this.#sleep(deadline.signal, refusal.remainingMs)
    }
    const ms = Math.min(policy.recheckMs, (refusal.remainingMs ?? policy.recheckMs) + AFTER_END_MS)
    const beganMs = policy.clock.monotonicMs()
    using bound = deadline.call(ms)
    await backend.wait(this.#request.key, refusal.ticket, bound.signal)
    deadline.check()
    this.#earlyWaits = policy.clock.monotonicMs() - beganMs < EARLY_WAIT_MS ? this.#earlyWaits + 1 : 0
    // a backend that cannot wait must not make this a busy loop
    if (this.#earlyWaits > MAX_EARLY_WAITS) await this.#sleep(deadline.signal)
  }

  async #sleep(signal: AbortSignal, atMostMs = Number.POSITIVE_INFINITY): Promise<void> {
    const { retry, random, clock } = this.#deps.policy
    this.#delays ??= fullJitter(retry, random)
    const delayMs = this.#delays.next().value ?? 0
    await clock.sleep(Math.min(delayMs, atMostMs + AFTER_END_MS), signal)
  }

  #cleanUp(): void {
    if (!this.#trace) return
    this.#trace = false
    const { backgroundReleases, policy } = this.#deps
    const lease = { key: this.#request.key, token: this.#token }
    backgroundReleases.releaseLater(lease, policy.clock.monotonicMs() + this.#request.terms.ttlMs)
  }
}
