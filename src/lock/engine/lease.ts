/**
 * A held lease and its renewal.
 *
 * held --renewed--> held --released--> over
 *   \--the safe end passed, or the backend reports another owner--> lost
 *
 * The safe end is measured on the monotonic clock from the moment the last granted request was sent, minus a margin. It
 * is compared on every access, because timers are late after the event loop was blocked.
 */

import type { IngotError } from '../../errors/error.ts'
import type { Timer } from '../../std/clock.ts'
import { createDeadline } from '../../std/deadline.ts'
import type { LockBackend } from '../backend.ts'
import type { Extension, FenceOf, Fencing, Key, Release, Token } from '../lock.ts'
import { LockError } from '../lock-error.ts'
import type { LossCause } from '../measure.ts'
import type { HeldLock } from '../observation.ts'
import { callTimeUp } from '../outage.ts'
import { marginMs, type Policy, type Terms, termsOf } from '../policy.ts'
import type { BackgroundReleases } from './background-release.ts'
import type { CallSignals, LocalTurn } from './waiting.ts'

export interface HeldLease<F extends Fencing> {
  readonly key: Key
  readonly fence: FenceOf<F>
  /** Milliseconds until the safe end; 0 when lost or released. */
  remainingMs(): number
  /** Returns the lease for display. Does not find out whether it is lost. */
  observe(): HeldLock
  /** Returns the error that ended the lease, if it is lost. */
  lost(): IngotError | undefined
  /** Extends the lease to at least `ttlMs` from now. Default: its own length. Rejects with `LOCK_OPTION_INVALID`. */
  extend(ttlMs: number | undefined): Promise<Extension>
  release(): Promise<Release>
}

/** What all leases of a locker share. */
export interface HeldLeaseDeps<F extends Fencing> {
  readonly backend: LockBackend<F>
  readonly policy: Policy
  readonly backgroundReleases: BackgroundReleases
  readonly calls: CallSignals
  /** Returns a unique token. */
  readonly newToken: () => Token
}

/** A grant as the backend returned it. */
export interface Granted<F extends Fencing> {
  readonly key: Key
  readonly token: Token
  readonly fence: FenceOf<F>
  /** Monotonic milliseconds when its request was sent. */
  readonly sentMs: number
  /** Milliseconds from `sentMs`: the shorter of the requested and the granted length. */
  readonly ttlMs: number
}

/** Receives the loss of a lease, once, and holds its turn in the local queue. */
export interface LeaseOwner {
  readonly turn: LocalTurn
  onLost(error: IngotError): void
}

/** Returns the monotonic time, in milliseconds, until which the lease is certainly valid. */
export function safeEndMs(sentMs: number, ttlMs: number): number {
  return sentMs + ttlMs - marginMs(ttlMs)
}

/** Share of the remaining time after which a lease is renewed, so that two renewals may fail without a loss. */
const RENEW_AFTER = 1 / 3
/** Minimum pause before a failed renewal is repeated, in milliseconds. */
const MIN_RENEW_MS = 20

const MESSAGES: Readonly<Record<LossCause, string>> = {
  expired: 'was not renewed before its lease ended',
  taken: 'is no longer held: the lock service has another owner or none',
  overheld: 'was held for its maximum time',
}

class RenewedLease<F extends Fencing> implements HeldLease<F> {
  readonly key: Key
  readonly fence: FenceOf<F>
  readonly #token: Token
  readonly #deps: HeldLeaseDeps<F>
  readonly #terms: Terms
  readonly #owner: LeaseOwner
  readonly #sinceMs: number
  /** Limit of renewal. Each manual extension moves it. */
  #holdUntilMs: number
  #endMs: number
  /** When the lease ends at the backend, without the margin. */
  #leaseEndMs: number
  /** The running extend call, if any. Two at once could arrive in the wrong order. */
  #prolonging: Promise<Extension> | undefined
  #lost: IngotError | undefined
  #releasing: Promise<Release> | undefined
  /** For the next renewal; during a renewal, for the loss. */
  #timer: Timer | undefined

  constructor(deps: HeldLeaseDeps<F>, terms: Terms, granted: Granted<F>, owner: LeaseOwner) {
    this.key = granted.key
    this.fence = granted.fence
    this.#token = granted.token
    this.#deps = deps
    this.#terms = terms
    this.#owner = owner
    this.#sinceMs = granted.sentMs
    this.#holdUntilMs = granted.sentMs + terms.maxHoldMs
    this.#endMs = safeEndMs(granted.sentMs, granted.ttlMs)
    this.#leaseEndMs = granted.sentMs + granted.ttlMs
    deps.policy.measures.holding(1)
    this.#schedule()
  }

  remainingMs(): number {
    if (this.lost() !== undefined || this.#releasing !== undefined) return 0
    return this.#endMs - this.#now()
  }

  observe(): HeldLock {
    const nowMs = this.#now()
    return {
      key: this.key,
      fence: this.fence,
      ageMs: nowMs - this.#sinceMs,
      ttlMs: this.#terms.ttlMs,
      remainingMs: Math.max(0, this.#endMs - nowMs),
    }
  }

  lost(): IngotError | undefined {
    if (this.#releasing === undefined && this.#lost === undefined && this.#now() >= this.#endMs) {
      this.#lose(this.#holdLeftMs() < marginMs(this.#terms.ttlMs) + 1 ? 'overheld' : 'expired')
    }
    return this.#lost
  }

  async extend(wantedMs: number | undefined): Promise<Extension> {
    const { policy } = this.#deps
    const { ttlMs, maxHoldMs } = this.#terms
    const wanted = termsOf(policy, { ttlMs: wantedMs ?? ttlMs, maxHoldMs })
    while (this.#prolonging !== undefined) await this.#prolonging
    if (this.lost() !== undefined || this.#releasing !== undefined) return { kind: 'lost' }
    this.#awaitLoss()
    const sentMs = this.#now()
    // sent even if the lease is longer already: the backend checks that it is still held
    const extension = await this.#prolong(Math.ceil(Math.max(wanted.ttlMs, this.#leaseEndMs - sentMs)))
    if (extension.kind !== 'extended' || this.#lost !== undefined) return extension
    this.#holdUntilMs = Math.max(this.#holdUntilMs, sentMs + maxHoldMs)
    return extension
  }

  release(): Promise<Release> {
    this.lost()
    if (this.#releasing !== undefined) return this.#releasing
    this.#releasing = this.#release()
    return this.#releasing
  }

  #now(): number {
    return this.#deps.policy.clock.monotonicMs()
  }

  #holdLeftMs(): number {
    return this.#holdUntilMs - this.#now()
  }

  #schedule(): void {
    const { ttlMs } = this.#terms
    const leftMs = this.#endMs - this.#now()
    // after a long extension, renewal resumes only when a lease of the usual length would be due
    const usualMs = Math.min(leftMs, ttlMs - marginMs(ttlMs))
    const renewalMs = Math.max(MIN_RENEW_MS, leftMs - usualMs * (1 - RENEW_AFTER))
    if (renewalMs < leftMs) this.#setTimer(renewalMs, () => void this.#renew())
    else this.#awaitLoss()
  }

  #awaitLoss(): void {
    const leftMs = this.#endMs - this.#now()
    this.#setTimer(leftMs, () => {
      // timers have a resolution of one millisecond and may fire up to one millisecond early
      if (this.lost() === undefined && this.#releasing === undefined) this.#awaitLoss()
    })
  }

  #setTimer(ms: number, ring: () => void): void {
    this.#timer?.cancel()
    this.#timer = this.#deps.policy.clock.timer(Math.max(0, ms), ring)
  }

  /** Never rejects, because backends return failures as values. */
  async #renew(): Promise<void> {
    const ttlMs = Math.floor(Math.min(this.#terms.ttlMs, this.#holdLeftMs()))
    if (this.lost() !== undefined || this.#releasing !== undefined) return
    this.#awaitLoss()
    // the lease already reaches the end of the maximum hold time
    if (this.#holdUntilMs - this.#endMs <= marginMs(this.#terms.ttlMs)) return
    await this.#prolong(ttlMs)
  }

  /** Extends the lease at the backend, and applies the outcome: a later end, or the loss. */
  async #prolong(ttlMs: number): Promise<Extension> {
    const sentMs = this.#now()
    this.#prolonging = this.#extend(ttlMs)
    const extension = await this.#prolonging.finally(() => (this.#prolonging = undefined))
    if (this.#releasing !== undefined || this.lost() !== undefined) return { kind: 'lost' }
    if (extension.kind === 'lost') {
      this.#lose('taken')
      return extension
    }
    if (extension.kind === 'extended') {
      const givenMs = Math.min(ttlMs, extension.ttlMs)
      this.#endMs = Math.max(this.#endMs, safeEndMs(sentMs, givenMs))
      this.#leaseEndMs = Math.max(this.#leaseEndMs, sentMs + givenMs)
    }
    this.#schedule()
    return extension
  }

  async #extend(ttlMs: number): Promise<Extension> {
    const { backend, policy } = this.#deps
    const ms = Math.min(this.#terms.callMs, Math.max(1, this.#endMs - this.#now()))
    using call = createDeadline({ clock: policy.clock, ms, timeoutError: callTimeUp })
    return await backend.extend({ key: this.key, token: this.#token, ttlMs }, call.signal)
  }

  #lose(cause: LossCause): void {
    this.#timer?.cancel()
    const { backend, policy } = this.#deps
    this.#lost = new LockError('lost', 'LOCK_LOST', `the lock ${MESSAGES[cause]}`, { facts: { cause } })
    policy.measures.lost(backend.name, cause)
    this.#over()
    this.#owner.onLost(this.#lost)
  }

  #over(): void {
    const { measures } = this.#deps.policy
    measures.holding(-1)
    measures.held(this.#deps.backend.name, this.#now() - this.#sinceMs)
    this.#owner.turn.report('nothing')
    this.#owner.turn.leave()
  }

  #release(): Promise<Release> {
    if (this.#lost?.facts['cause'] === 'taken') return Promise.resolve({ kind: 'lost' })
    this.#timer?.cancel()
    const { backend, calls, backgroundReleases } = this.#deps
    const signal = calls.of(this.#terms.callMs, this.#now())
    backgroundReleases.begin()
    return backend.release({ key: this.key, token: this.#token }, signal).then(
      (result) => this.#released(result),
      (thrown: unknown) => {
        backgroundReleases.end()
        throw thrown
      },
    )
  }

  #released(result: Release): Release {
    const { backgroundReleases } = this.#deps
    if (result.kind === 'unavailable') {
      backgroundReleases.releaseLater({ key: this.key, token: this.#token }, this.#endMs + marginMs(this.#terms.ttlMs))
    }
    backgroundReleases.end()
    if (this.#lost === undefined) this.#over()
    return result
  }
}

/** Renews the granted lease from now on, until it is released or lost. */
export function createHeldLease<F extends Fencing>(
  deps: HeldLeaseDeps<F>,
  terms: Terms,
  granted: Granted<F>,
  owner: LeaseOwner,
): HeldLease<F> {
  return new RenewedLease(deps, terms, granted, owner)
}
