/** The times of a lease that several clocks count. */
import { IngotError } from '../../../errors/error.ts'
import type { Token } from '../../lock.ts'

/** Share of the lease that the clocks of the nodes may differ by; the package adds 2 ms. */
export const DRIFT = 0.01
/** Of Redis' expiry; the Redlock specification's figure. */
const PRECISION_MS = 2
/** The default length of a lease is allowed, and nothing longer. */
const DEFAULT_MAX_LEASE_MS = 10_000
/** A day, as for all times of the lock library. */
const LONGEST_MS = 86_400_000

/** How far the clocks of servers and clients may drift apart within a lease. */
export function allowanceMs(leaseMs: number): number {
  return Math.ceil(leaseMs * DRIFT) + PRECISION_MS
}

/** Of a lease, counted from the sending of the request, what no clock of any node has used up before. */
export function validMs(ttlMs: number): number {
  return Math.max(0, ttlMs - allowanceMs(ttlMs))
}

/** The token and the milliseconds left of what inspect.lua returns; empty when the node knows of no lease. */
export function readLease(answer: unknown): readonly (readonly [Token, number])[] {
  if (!Array.isArray(answer)) return []
  const fields: readonly unknown[] = answer
  const [token, ms] = fields
  return typeof token === 'string' && typeof ms === 'number' ? [[token, ms]] : []
}

/** The longest lease of any client: the first of these that is given, or the default. Throws `LOCK_OPTION_INVALID`. */
export function maxLeaseOf(...given: readonly (number | undefined)[]): number {
  const ms = given.find((g) => g !== undefined) ?? DEFAULT_MAX_LEASE_MS
  if (Number.isFinite(ms) && ms > 0 && ms <= LONGEST_MS) return ms
  throw new IngotError(
    'LOCK_OPTION_INVALID',
    `"maxLeaseMs" is ${ms}, expected milliseconds above 0 and up to ${LONGEST_MS}`,
  )
}
