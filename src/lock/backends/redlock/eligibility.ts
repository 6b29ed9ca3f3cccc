/**
 * Decides whether the votes of one node count. A node that restarted without its data does not know which keys are
 * held, so it could vote twice for a key. Its votes count again when every lease that it may have lost has ended:
 *
 * unknown --examined--> waiting --maxLeaseMs passed--> eligible
 *    ^                     \--keeps its data--------------^
 *    \--the connection closed: the server may have restarted (from any state)
 *
 * A restart always closes the connection, and one connection never spans two server processes. So the server is
 * examined once per connection, and a vote counts if its node was eligible when the vote was sent.
 */
import type { IngotError } from '../../../errors/error.ts'

/** Facts that a server reports about itself. */
export interface ServerFacts {
  /** Unique to each start of the server process. */
  readonly runId: string
  /** Time since that start by the server's wall clock, in whole seconds, converted to milliseconds. */
  readonly uptimeMs: number
  /** True if the server writes each vote to its disk before it replies, so that a restart loses nothing. */
  readonly durable: boolean
}

export interface VoteEligibility {
  /** Records the facts that the server reported on the current connection. `nowMs`: monotonic time of the reply. */
  examined(facts: ServerFacts, nowMs: number): void
  /** Records that the connection closed, or that the server could not be examined. */
  lost(cause?: IngotError): void
  /** Returns the milliseconds until the votes count: 0 if they do, `undefined` while the server is unknown. */
  eligibleInMs(nowMs: number): number | undefined
  /** The reason why the server is unknown, if it is more specific than a closed connection. */
  readonly cause: IngotError | undefined
}

/** `uptime_in_seconds` has whole seconds, of a clock that Redis reads at least ten times a second. */
const UPTIME_STEP_MS = 1_000

/**
 * `maxLeaseMs`: the longest lease that any client may request. `allowanceMs`: how far the clocks of servers and clients
 * may drift apart in that time. Leases measured by the server's uptime wait longer by this.
 */
export function createVoteEligibility(maxLeaseMs: number, allowanceMs: number): VoteEligibility {
  let known: { readonly runId: string; readonly sinceMs: number } | undefined
  let countsFromMs: number | undefined
  let cause: IngotError | undefined

  return {
    examined({ runId, uptimeMs, durable }, nowMs) {
      if (known?.runId !== runId) known = { runId, sinceMs: nowMs }
      cause = undefined
      const byOwnClockMs = known.sinceMs + maxLeaseMs
      // one millisecond more, because the uptime has to exceed the sum
      const byUptimeMs = nowMs + maxLeaseMs + UPTIME_STEP_MS + allowanceMs + 1 - uptimeMs
      countsFromMs = durable ? nowMs : Math.min(byOwnClockMs, byUptimeMs)
    },
    lost(why) {
      countsFromMs = undefined
      cause = why
    },
    eligibleInMs: (nowMs) => (countsFromMs === undefined ? undefined : Math.max(0, countsFromMs - nowMs)),
    get cause() {
      return cause
    },
  }
}
