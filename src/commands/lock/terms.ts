/** The times of `ingot lock`: how long it waits, how long a lease is, and when it stops the command. Pure. */
import { formatDuration } from '../../std/duration.ts'
import { durationOption, usageError } from '../line/command.ts'

/** `once`: one attempt. `for`: until the lock is granted or `ms` milliseconds have passed, possibly `Infinity`. */
export type Wait = { readonly kind: 'once' } | { readonly kind: 'for'; readonly ms: number }

/** Options as given. Milliseconds. */
export interface LeaseOptions {
  readonly ttlMs: number | undefined
  readonly graceMs: number | undefined
}

/** Milliseconds. */
export interface LeaseTerms {
  readonly ttlMs: number
  /** The command gets SIGTERM when so much of the lease is left. */
  readonly graceMs: number
  /** It gets SIGKILL when so much is left, because timers, the kernel and the clocks of servers take time. */
  readonly reserveMs: number
}

const TTL_MS = 30_000
const GRACE_MS = 5_000
/** Share of a lease that the default grace takes at most. */
const DEFAULT_GRACE = 1 / 4
/**
 * Share of a lease that `--grace` may take. A lease is renewed after a third, so a sixth is left for the response and one
 * more attempt before the command is stopped.
 */
const MAX_GRACE = 1 / 2
const MAX_RESERVE_MS = 500
const MIN_TTL_MS = 100
const MAX_TTL_MS = 86_400_000

/** Returns the wait of `--wait TIME` and `--no-wait`. Throws USAGE_INVALID. */
export function waitOf(wait: string | undefined, noWait: boolean): Wait {
  if (wait === undefined) return noWait ? { kind: 'once' } : { kind: 'for', ms: Number.POSITIVE_INFINITY }
  if (noWait) throw usageError('--wait and --no-wait contradict each other: keep one of them')
  const ms = durationOption('wait', wait)
  return ms === 0 ? { kind: 'once' } : { kind: 'for', ms }
}

/** Returns the lease of `--ttl TIME` and `--grace TIME`. Throws USAGE_INVALID. */
export function leaseOptionsOf(ttl: string | undefined, grace: string | undefined): LeaseOptions {
  const options = {
    ttlMs: ttl === undefined ? undefined : durationOption('ttl', ttl),
    graceMs: grace === undefined ? undefined : durationOption('grace', grace),
  }
  const { ttlMs } = options
  if (ttlMs !== undefined && (ttlMs < MIN_TTL_MS || ttlMs > MAX_TTL_MS)) {
    throw usageError(`--ttl is "${ttl}", write a duration from ${MIN_TTL_MS}ms to ${MAX_TTL_MS / 3_600_000}h`)
  }
  leaseTermsOf(options)
  return options
}

/** Returns the complete times. `maxTtlMs` is the longest lease of the backend. Throws USAGE_INVALID. */
export function leaseTermsOf(options: LeaseOptions, maxTtlMs = Number.POSITIVE_INFINITY): LeaseTerms {
  const ttlMs = options.ttlMs ?? Math.min(TTL_MS, maxTtlMs)
  const graceMs = options.graceMs ?? Math.min(GRACE_MS, ttlMs * DEFAULT_GRACE)
  if (graceMs > ttlMs * MAX_GRACE) {
    const given = `--grace is ${formatDuration(graceMs)}, and the lease ${formatDuration(ttlMs)}`
    throw usageError(`${given}: the grace may be half of --ttl, because the lease is renewed after a third`)
  }
  return { ttlMs, graceMs, reserveMs: Math.min(MAX_RESERVE_MS, ttlMs / 20) }
}
