/**
 * Waits for dependencies that start after the service, because in a fresh cluster everything starts at once. Within
 * INGOT_START_WAIT a failure that may pass is retried. A failure that cannot pass by itself, such as a wrong Redis
 * password, ends the start at once. Each attempt has a deadline. The process stays alive during an attempt, even if the
 * attempt waits on a resource that does not keep it alive.
 */

import { type ErrorCode, IngotError, toIngotError } from '../errors/error.ts'
import type { Clock } from '../std/clock.ts'
import { fullJitter, retry } from '../std/retry.ts'
import type { Log } from '../telemetry/log.ts'

const PAUSES = { baseMs: 500, maxMs: 2_000 }

export interface StartDeps {
  readonly clock: Clock
  readonly log: Log
  /** Ends the wait with its reason. */
  readonly signal: AbortSignal
}

/** A dependency to open. */
export interface Opening<T> {
  /** Name for messages, such as "lock service". */
  readonly what: string
  /** Deadline of one attempt, in milliseconds. Its signal then aborts. */
  readonly attemptMs: number
  /** The error code of an attempt that exceeds the deadline. */
  readonly late: ErrorCode
  readonly attempt: (signal: AbortSignal) => Promise<T>
}

/** Opens a dependency. Retries until `waitMs` have passed since the start. */
export type Open = <T>(opening: Opening<T>) => Promise<T>

/** Returns the function that opens dependencies. All of them share one deadline. Rejects with the last failure. */
export function createStartWait({ clock, log, signal }: StartDeps, waitMs: number): Open {
  const deadlineMs = clock.monotonicMs() + waitMs
  return (opening) =>
    retry(() => attemptInTime(opening, clock, signal), {
      delays: fullJitter(PAUSES),
      clock,
      signal,
      retryable(thrown) {
        const { code, message, retryable } = toIngotError(thrown)
        const leftMs = Math.round(deadlineMs - clock.monotonicMs())
        if (!retryable || leftMs <= 0) return false
        log.info({ code, reason: message, leftMs }, `waiting for the ${opening.what}`)
        return true
      },
    })
}

async function attemptInTime<T>({ what, attemptMs, late, attempt }: Opening<T>, clock: Clock, signal: AbortSignal) {
  const deadline = new AbortController()
  const settled = new AbortController()
  // a sleep instead of a timer, because possibly nothing else keeps the process alive
  const watch = clock.sleep(attemptMs, settled.signal).then(
    () => deadline.abort(new IngotError(late, `the ${what} did not respond within ${attemptMs} ms`)),
    () => {},
  )
  try {
    return await attempt(AbortSignal.any([deadline.signal, signal]))
  } finally {
    settled.abort()
    await watch
  }
}
