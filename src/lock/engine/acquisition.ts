/**
 * From a key to a lease in hand: attempts, pauses, and the repair of what an attempt may have left behind.
 *
 * A token is kept over all attempts of one acquisition. If a command landed whose answer was lost, the next attempt is
 * granted that very lease instead of finding the key taken by its own ghost.
 */
import { fullJitter } from '../../std/retry.ts'
import type { LeaseRequest } from '../backend.ts'
import type { Attempt, Fencing, Key, Token, Unavailable } from '../lock.ts'
import { heldError, isTimeUp, type LockError, outageError, unansweredError } from '../lock-error.ts'
import { unavailable } from '../outage.ts'
import type { Terms } from '../policy.ts'
import type { AcquireDeadline } from './acquire-deadline.ts'
import {
  createHeldLease,
  type Granted,
  type HeldLease,
  type HeldLeaseDeps,
  type LeaseOwner,
  safeEndMs,
} from './lease.ts'
import type { News } from './wait-queue.ts'

/** One wish for one key. */
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

/** A wait that ended within this time had hardly begun: the key became free just then, or the backend cannot wait. */
const EARLY_MS = 5
/** So many such waits in a row without a grant are no chance any more. */
const MAX_HASTY = 3
/** An attempt that is not answered for so long makes the refusal before it doubtful: the service may be gone. */
const OUTDATED_MS = 100
/** Added to what is left of a lease, so that the look after it finds it ended. */
const AFTER_END_MS = 2

/** Whether a call that was answered so may have taken effect nevertheless. */
function mayHaveLanded(answer: Unavailable): boolean {
  return answer.scope !== 'key' && answer.error.code !== 'LOCK_BREAKER_OPEN'
}

/** Why a wait was in vain that has used up its time, by what was last heard. */
export function timeUpError(news: News, waitMs: number): LockError {
  if (news === 'held') return heldError(waitMs)
  return news === 'nothing' ? unansweredError(waitMs) : outageError(news)
}

export class Acquisition<F extends Fencing> {
  readonly #deps: HeldLeaseDeps<F>
  readonly #request: AcquireRequest
  #delays: Generator<number, void> | undefined
  #token: Token
  /** Whether the backend may keep anything under the token: a lease whose grant was not heard, or a place in a queue. */
  #trace = false
  /** Waits in a row that ended early. */
  #hasty = 0

  constructor(deps: HeldLeaseDeps<F>, request: AcquireRequest) {
    this.#deps = deps
    this.#request = request
    this.#token = deps.newToken()
  }

  get key(): Key {
    return this.#request.key
  }

  /** One attempt, and nothing left behind unless it was granted. */
  async once(deadline: AcquireDeadline): Promise<Outcome<F>> {
    const sentMs = this.#deps.policy.clock.monotonicMs()
    const outcome = this.accept(await this.#ask(false, deadline, sentMs), sentMs)
    if (outcome.kind !== 'granted') this.#cleanUp()
    return outcome
  }

  /** Attempts until granted. Rejects with the signal's reason, `OVERLOADED`, or with what used up the time. */
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
      throw isTimeUp(thrown) ? timeUpError(this.#request.owner.turn.news, this.#request.terms.waitMs) : thrown
    }
  }

  /** Takes over an answer that came for this token, also by another way. */
  accept(attempt: Attempt<F>, sentMs: number): Outcome<F> {
    if (attempt.kind === 'held') {
      this.#report('held')
      this.#trace ||= attempt.ticket !== undefined
      return attempt
    }
    if (attempt.kind === 'unavailable') {
      this.#trace ||= mayHaveLanded(attempt)
      return attempt
    }
    const { key, terms, owner } = this.#request
    const ttlMs = Math.min(terms.ttlMs, attempt.ttlMs)
    if (safeEndMs(sentMs, ttlMs) <= this.#deps.policy.clock.monotonicMs()) return this.#tooLate()
    const granted: Granted<F> = { key, token: this.#token, fence: attempt.fence, sentMs, ttlMs }
    this.#trace = false
    this.#report('held')
    return { kind: 'granted', lease: createHeldLease(this.#deps, terms, granted, owner) }
  }

  /** Ends the acquisition without a grant: releases in the background whatever an attempt may have left behind. */
  giveUp(): void {
    this.#cleanUp()
  }

  /** Gives back what an answer may have brought, when it is of no use any more. */
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

  /** The answer used up the lease. It is given back, and the next attempt is a new owner's. */
  #tooLate(): Unavailable {
    this.#trace = true
    this.#cleanUp()
    this.#token = this.#deps.newToken()
    return unavailable('the grant came too late to be of use')
  }

  async #afterOutage(outage: Unavailable, deadline: AcquireDeadline, sentMs: number): Promise<void> {
    const silentMs = this.#deps.policy.clock.monotonicMs() - sentMs
    // cut short by the end of the wait, an attempt says nothing, and after a while more than the refusal before it
    if (silentMs > OUTDATED_MS && this.#request.owner.turn.news === 'held') this.#report('nothing')
    deadline.check()
    this.#report(outage.error)
    if (outage.scope === 'key' || outage.error.code === 'LOCK_BREAKER_OPEN') throw outageError(outage.error)
    await this.#sleep(deadline.signal)
  }

  #report(news: News): void {
    this.#request.owner.turn.report(news)
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
    this.#hasty = policy.clock.monotonicMs() - beganMs < EARLY_MS ? this.#hasty + 1 : 0
    // a backend that cannot wait must not make this a busy loop
    if (this.#hasty > MAX_HASTY) await this.#sleep(deadline.signal)
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
