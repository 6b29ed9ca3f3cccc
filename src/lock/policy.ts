/** The options of the lock policy: defaults, limits, and the safety margin of a lease. */

import { IngotError } from '../errors/error.ts'
import { type Clock, systemClock } from '../std/clock.ts'
import { defined } from '../std/defined.ts'
import type { Backoff } from '../std/retry.ts'
import { type LockMeasures, unmeasured } from './measure.ts'

/** Options of one acquisition. */
export interface AcquireOptions {
  /** Length of the lease in milliseconds. It is renewed while held. Default: the locker's. */
  readonly ttlMs?: number | undefined
  /**
   * Longest time in milliseconds for which the lease is renewed, from the grant or the last manual extension. `Infinity`
   * for no limit. Default: the locker's.
   */
  readonly maxHoldMs?: number | undefined
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal | undefined
}

export interface WaitOptions extends AcquireOptions {
  /** Ends the wait with `LOCK_TIMEOUT` after this many milliseconds. Default: the locker's. */
  readonly waitMs?: number | undefined
}

/** An option that is `undefined` counts as absent. */
export interface LockerOptions {
  /** Default: the system clock. */
  readonly clock?: Clock | undefined
  /** Default: counts nothing. */
  readonly measures?: LockMeasures | undefined
  /** Default: 10000. */
  readonly ttlMs?: number | undefined
  /** Default: 10000. */
  readonly waitMs?: number | undefined
  /** `Infinity` for no limit. Default: 300000, five minutes. */
  readonly maxHoldMs?: number | undefined
  /**
   * Time limit of one call of the backend, in milliseconds. Calls share timers, so a call may time out up to a sixteenth
   * earlier. Default: 2000, at most a third of the lease.
   */
  readonly callMs?: number | undefined
  /** Bounds of the full jitter between attempts, in milliseconds. Default: 10 to 250. */
  readonly retry?: Backoff | undefined
  /** A waiter retries after this many milliseconds without a wake-up. Default: 2000. */
  readonly recheckMs?: number | undefined
  /**
   * Maximum number of waiting callers of this locker. Further callers are refused with `OVERLOADED`. A caller waits if
   * its first attempt was not granted. This includes the first caller of a key. Default: 10000.
   */
  readonly maxWaiting?: number | undefined
  /**
   * How long disposing the locker retries unanswered releases, in milliseconds. Each gets at least one more attempt.
   * Remaining leases expire by themselves. Default: 0.
   */
  readonly closeMs?: number | undefined
  /** Uniform in [0, 1), for the jitter. Default: `Math.random`. */
  readonly random?: (() => number) | undefined
}

/** The options with all defaults filled in. */
type Complete = { readonly [K in keyof LockerOptions]-?: Exclude<LockerOptions[K], undefined> }

export interface Policy extends Complete {
  /** The longest lease that the backend grants, in milliseconds. */
  readonly maxTtlMs: number
}

/** The checked times of one acquisition. */
export interface Terms {
  readonly ttlMs: number
  readonly maxHoldMs: number
  readonly waitMs: number
  readonly callMs: number
}

const DEFAULTS = {
  ttlMs: 10_000,
  waitMs: 10_000,
  maxHoldMs: 300_000,
  callMs: 2_000,
  retry: { baseMs: 10, maxMs: 250 },
  recheckMs: 2_000,
  maxWaiting: 10_000,
  closeMs: 0,
} as const

/** A day. Node fires timers beyond 24.8 days at once. */
const MAX_MS = 86_400_000

/** Share of a lease by which the clocks of two machines may differ in rate. Source: the Redlock specification. */
const DRIFT = 0.01
/** Covers the precision of the servers' expiry (1 ms) and of local timers. */
const SLACK_MS = 5

/**
 * Returns how much earlier than its end the holder gives up a lease, in milliseconds: one hundredth of the lease, for
 * clocks that run at different rates, and 5 ms.
 */
export function marginMs(ttlMs: number): number {
  return ttlMs * DRIFT + SLACK_MS
}

function checkTime(name: string, ms: number): number {
  if (Number.isFinite(ms) && ms > 0 && ms <= MAX_MS) return ms
  throw new IngotError('LOCK_OPTION_INVALID', `"${name}" is ${ms}, expected milliseconds above 0 and up to ${MAX_MS}`)
}

function checkLease(name: string, ms: number): number {
  if (checkTime(name, ms) > 2 * marginMs(ms)) return ms
  throw new IngotError('LOCK_OPTION_INVALID', `"${name}" is ${ms}, too short for a lease: expected at least 11`)
}

function checkHold(ms: number): number {
  return ms === Number.POSITIVE_INFINITY ? ms : checkLease('maxHoldMs', ms)
}

/** Returns the error for a lease that is longer than the backend allows. */
export function leaseTooLong(name: string, ttlMs: number, maxTtlMs: number): IngotError {
  const remedy = 'ask for less, or raise the limit for all clients ("max-lease" of a redlock:// URL)'
  return new IngotError(
    'LOCK_OPTION_INVALID',
    `${name} is ${ttlMs} ms, and this backend grants ${maxTtlMs} at most: ${remedy}`,
  )
}

function checkGranted(name: string, ttlMs: number, maxTtlMs: number): void {
  if (ttlMs > maxTtlMs) throw leaseTooLong(name, ttlMs, maxTtlMs)
}

/** Validates the options and fills in the defaults. Throws `LOCK_OPTION_INVALID`. */
export function policyOf(options: LockerOptions, maxTtlMs = Number.POSITIVE_INFINITY): Policy {
  const ttlMs = Math.min(DEFAULTS.ttlMs, maxTtlMs)
  const policy = {
    clock: systemClock,
    measures: unmeasured,
    random: Math.random,
    ...DEFAULTS,
    ttlMs,
    ...defined(options),
    maxTtlMs,
  }
  for (const name of ['waitMs', 'callMs', 'recheckMs'] as const) checkTime(name, policy[name])
  checkHold(policy.maxHoldMs)
  checkLease('ttlMs', policy.ttlMs)
  checkGranted('"ttlMs"', policy.ttlMs, maxTtlMs)
  if (policy.closeMs !== 0) checkTime('closeMs', policy.closeMs)
  if (policy.maxWaiting >= 0) return policy
  throw new IngotError('LOCK_OPTION_INVALID', `"maxWaiting" is ${policy.maxWaiting}, expected 0 or more`)
}

/** Validates the options of one acquisition and fills in the locker's. Throws `LOCK_OPTION_INVALID`. */
export function termsOf(policy: Policy, options: WaitOptions): Terms {
  const maxHoldMs = checkHold(options.maxHoldMs ?? policy.maxHoldMs)
  const ttlMs = Math.floor(Math.min(checkLease('ttlMs', options.ttlMs ?? policy.ttlMs), maxHoldMs))
  checkGranted('"ttlMs"', ttlMs, policy.maxTtlMs)
  const waitMs = checkTime('waitMs', options.waitMs ?? policy.waitMs)
  return { ttlMs, maxHoldMs, waitMs, callMs: Math.max(1, Math.min(policy.callMs, ttlMs / 3)) }
}
