/** Times of a lease that is measured by several clocks. */
import { IngotError } from '../../../errors/error.ts'
import type { Token } from '../../lock.ts'

/** Share of the lease by which the clocks of the nodes may differ. The package adds 2 ms. */
export const DRIFT = 0.01
/** Precision of Redis' expiry. Source: the Redlock specification. */
const PRECISION_MS = 2
/** Allows the default length of a lease, and nothing longer. */
const DEFAULT_MAX_LEASE_MS = 10_000
/** A day, as for all times of the lock library. */
const LONGEST_MS = 86_400_000

/** Returns how far the clocks of servers and clients may drift apart within a lease, in milliseconds. */
export function allowanceMs(leaseMs: number): number {
  return Math.ceil(leaseMs * DRIFT) + PRECISION_MS
}

/**
 * Returns how long a lease is certainly valid from the time of its request, in milliseconds, whatever clock measures
 * it.
 */
export function validMs(ttlMs: number): number {
  return Math.max(0, ttlMs - allowanceMs(ttlMs))
}

/** Parses the reply of inspect.lua into the token and the remaining milliseconds. Empty if the node has no lease. */
export function readLease(reply: unknown): readonly (readonly [Token, number])[] {
  if (!Array.isArray(reply)) return []
  const fields: readonly unknown[] = reply
  const [token, ms] = fields
  return typeof token === 'string' && typeof ms === 'number' ? [[token, ms]] : []
}

/** Returns the longest lease of any client: the first given value, or the default. Throws `LOCK_OPTION_INVALID`. */
export function maxLeaseOf(...given: readonly (number | undefined)[]): number {
  const ms = given.find((g) => g !== undefined) ?? DEFAULT_MAX_LEASE_MS
  if (Number.isFinite(ms) && ms > 0 && ms <= LONGEST_MS) return ms
  throw new IngotError(
    'LOCK_OPTION_INVALID',
    `"maxLeaseMs" is ${ms}, expected milliseconds above 0 and up to ${LONGEST_MS}`,
  )
}
