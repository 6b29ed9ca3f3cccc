/**
 * Whether the votes of one node count. A node that restarted without its data does not know which keys are held, so it
 * would vote for a key twice. Its votes count again when every lease that it may have forgotten has ended:
 *
 * unknown --examined--> waiting --maxLeaseMs passed--> counted
 *    ^                     \--keeps its data------------^
 *    \--the connection closed: the server may have restarted (from any state)
 *
 * A restart always closes the connection, and one connection never spans two server processes. So the server is examined
 * once for each connection, and a vote counts when its node counted at the moment the vote was sent.
 */
import type { IngotError } from '../../../errors/error.ts'

/** What a server says of itself. */
export interface ServerFacts {
  /** A new one for each start of the server process. */
  readonly runId: string
  /** Whole seconds since that start, by the server's wall clock, in milliseconds. */
  readonly uptimeMs: number
  /** It writes each vote to its disk before it sends the answer, so a restart forgets nothing. */
  readonly durable: boolean
}

export interface VoteEligibility {
  /** Takes over what the server said on the present connection. `nowMs` is monotonic, when the answer had come. */
  met(facts: ServerFacts, nowMs: number): void
  /** The connection closed, or the server could not be examined. */
  lost(cause?: IngotError): void
  /** Milliseconds until the votes count: 0 when they do, `undefined` while the server is unknown. */
  countsInMs(nowMs: number): number | undefined
  /** Why the server is unknown, when something better than a closed connection is known. */
  readonly cause: IngotError | undefined
}

/** `uptime_in_seconds` counts whole seconds, of a clock that Redis reads ten times a second at least. */
const UPTIME_STEP_MS = 1_000

/**
 * `maxLeaseMs`: the longest lease that any client may ask for. `allowanceMs`: how far the clocks of servers and clients
 * may drift apart in that time; leases counted from the server's start wait so much longer.
 */
export function createVoteEligibility(maxLeaseMs: number, allowanceMs: number): VoteEligibility {
  let known: { readonly runId: string; readonly sinceMs: number } | undefined
  let countsFromMs: number | undefined
  let cause: IngotError | undefined

  return {
    met({ runId, uptimeMs, durable }, nowMs) {
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
    countsInMs: (nowMs) => (countsFromMs === undefined ? undefined : Math.max(0, countsFromMs - nowMs)),
    get cause() {
      return cause
    },
  }
}
