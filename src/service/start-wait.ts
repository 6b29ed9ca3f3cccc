/**
 * What a service needs may come up after it: in a fresh cluster everything starts at once. Within INGOT_START_WAIT what
 * fails and may pass is tried again; what cannot pass by itself, such as a wrong password of Redis, ends the start at once.
 * No attempt lasts for ever, and the process lives as long as one is under way, whatever that is waiting for.
 */

import { type ErrorCode, IngotError, toIngotError } from '../errors/error.ts'
import type { Clock } from '../std/clock.ts'
import { fullJitter, retry } from '../std/retry.ts'
import type { Log } from '../telemetry/log.ts'

const PAUSES = { baseMs: 500, maxMs: 2_000 }

export interface StartDeps {
  readonly clock: Clock
  readonly log: Log
  /** Ends the wait, with its reason. */
  readonly signal: AbortSignal
}

/** Something to open. */
export interface Opening<T> {
  /** Such as "lock service". */
  readonly what: string
  /** The most that one attempt may take, in milliseconds; then its signal aborts. */
  readonly attemptMs: number
  /** The fault of an attempt that took longer. */
  readonly late: ErrorCode
  readonly attempt: (signal: AbortSignal) => Promise<T>
}

/** Opens something, as often as it takes until `waitMs` from now have passed. */
export type Open = <T>(opening: Opening<T>) => Promise<T>

/** Rejects with the last failure. All that is opened shares one deadline. */
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
  // a sleep, not a timer: nothing else may be left that keeps the process alive
  const watch = clock.sleep(attemptMs, settled.signal).then(
    () => deadline.abort(new IngotError(late, `the ${what} did not answer within ${attemptMs} ms`)),
    () => {},
  )
  try {
    return await attempt(AbortSignal.any([deadline.signal, signal]))
  } finally {
    settled.abort()
    await watch
  }
}
