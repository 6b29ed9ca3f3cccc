/**
 * Leader election: of all processes that call `lead` with one key, one does the work at a time.
 *
 * campaigning --granted--> leading --work returned--> over, resigned
 *      ^                     |  \--work threw-------> over, resigned
 *      \--lost, work ended---/   \--aborted, work ended--> over, resigned
 *
 * After a loss, a leader campaigns again only when its work has ended, so that one process never runs it twice at once.
 */

import { IngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import { type Backoff, fullJitter } from '../../std/retry.ts'
import type { FenceOf, Fencing, Key } from '../lock.ts'
import type { AcquireOptions, WaitOptions } from '../policy.ts'
import type { Grant } from './grant.ts'

/** The state of the leadership, for the work. */
export interface Leadership<F extends Fencing = Fencing> {
  readonly key: Key
  /** Greater than the fences of all earlier leaders. Pass it to every store that the work writes to. */
  readonly fence: FenceOf<F>
  /** Returns true only while no other process can lead, by the monotonic clock. */
  isLeading(): boolean
  /** Throws `LOCK_LOST` unless `isLeading()`. */
  assertLeading(): void
}

/** For logs and metrics. `error` is the reason why the last campaign failed. Campaigns continue after an outage. */
export type LeaderState<F extends Fencing = Fencing> =
  | { readonly kind: 'campaigning'; readonly error?: IngotError }
  | { readonly kind: 'leading'; readonly fence: FenceOf<F> }
  | { readonly kind: 'lost'; readonly error: unknown }

export interface LeadOptions<F extends Fencing = Fencing> extends AcquireOptions {
  /** Called with each new state. An error that it throws rejects `lead`. */
  readonly onChange?: ((state: LeaderState<F>) => void) | undefined
}

/** `done`: the work returned while it led. `aborted`: the caller's signal ended it, before or while it led. */
export type LeadOutcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'aborted'; readonly reason: unknown }

export type LeaderWork<F extends Fencing, T> = (signal: AbortSignal, leadership: Leadership<F>) => Promise<T>

export interface LeaderDeps<F extends Fencing> {
  readonly acquire: (key: Key, options: WaitOptions) => Promise<Grant<F>>
  readonly clock: Clock
  readonly retry: Backoff
  readonly random: () => number
}

/** Length of one campaign in milliseconds; the next one follows at once. An outage is reported after this time. */
const CAMPAIGN_MS = 15_000
/** Shortest pause after a failed campaign, in milliseconds. */
const MIN_PAUSE_MS = 100

const NEVER = new AbortController().signal

/** Returns true if the error is the normal end of work whose signal aborted with this reason. */
function isEnd(thrown: unknown, reason: unknown): boolean {
  if (thrown === reason) return true
  return thrown instanceof Error && (thrown.name === 'AbortError' || thrown.cause === reason)
}

function worthAnother(thrown: unknown): thrown is IngotError {
  return thrown instanceof IngotError && thrown.retryable && thrown.code !== 'SHUTTING_DOWN'
}

class Candidate<F extends Fencing, T> {
  readonly #deps: LeaderDeps<F>
  readonly #key: Key
  readonly #work: LeaderWork<F, T>
  readonly #options: LeadOptions<F>
  readonly #signal: AbortSignal

  constructor(deps: LeaderDeps<F>, key: Key, work: LeaderWork<F, T>, options: LeadOptions<F>) {
    this.#deps = deps
    this.#key = key
    this.#work = work
    this.#options = options
    this.#signal = options.signal ?? NEVER
  }

  async run(): Promise<LeadOutcome<T>> {
    for (;;) {
      const grant = await this.#campaign()
      const outcome = grant === undefined ? undefined : await this.#serve(grant)
      if (outcome !== undefined) return outcome
      if (this.#signal.aborted) return { kind: 'aborted', reason: this.#signal.reason }
    }
  }

  /** Returns `undefined` if the caller's signal aborted. */
  async #campaign(): Promise<Grant<F> | undefined> {
    const { clock, retry, random } = this.#deps
    const { ttlMs, maxHoldMs = Number.POSITIVE_INFINITY } = this.#options
    const delays = fullJitter(retry, random)
    this.#notify({ kind: 'campaigning' })
    while (!this.#signal.aborted) {
      try {
        return await this.#deps.acquire(this.#key, { ttlMs, maxHoldMs, waitMs: CAMPAIGN_MS, signal: this.#signal })
      } catch (thrown) {
        if (this.#signal.aborted) return undefined
        if (!worthAnother(thrown)) throw thrown
        if (thrown.code === 'LOCK_TIMEOUT') continue
        this.#notify({ kind: 'campaigning', error: thrown })
        await this.#pause(clock, Math.max(MIN_PAUSE_MS, delays.next().value ?? 0))
      }
    }
    return undefined
  }

  async #pause(clock: Clock, ms: number): Promise<void> {
    try {
      await clock.sleep(ms, this.#signal)
    } catch (thrown) {
      if (!this.#signal.aborted) throw thrown
    }
  }

  /** Returns `undefined` if the leadership was lost or the caller ended it; `run` decides what follows. */
  async #serve(grant: Grant<F>): Promise<LeadOutcome<T> | undefined> {
    const stop = AbortSignal.any([this.#signal, grant.signal])
    const leadership: Leadership<F> = {
      key: grant.key,
      fence: grant.fence,
      isLeading: () => grant.isHeld(),
      assertLeading: () => grant.assertHeld(),
    }
    try {
      this.#notify({ kind: 'leading', fence: grant.fence })
      const value = await this.#work(stop, leadership)
      if (grant.isHeld() && !this.#signal.aborted) return { kind: 'done', value }
    } catch (thrown) {
      // read again, because timers may be late
      const ended = grant.signal.aborted || stop.aborted
      if (!ended || !isEnd(thrown, stop.reason)) throw thrown
    } finally {
      await grant.release()
    }
    if (grant.signal.aborted) this.#notify({ kind: 'lost', error: grant.signal.reason })
    return undefined
  }

  #notify(state: LeaderState<F>): void {
    this.#options.onChange?.(state)
  }
}

/** See `Locker.lead`. */
export function lead<F extends Fencing, T>(
  deps: LeaderDeps<F>,
  key: Key,
  work: LeaderWork<F, T>,
  options: LeadOptions<F>,
): Promise<LeadOutcome<T>> {
  return new Candidate(deps, key, work, options).run()
}
