/**
 * What a service needs may come up after it: in a fresh cluster everything starts at once. Within INGOT_START_WAIT what
 * fails and may pass is tried again; what cannot pass by itself, such as a wrong password of Redis, ends the start at once.
 */
import type { Clock } from '../std/clock.ts'
import { toFault } from '../std/fault.ts'
import { fullJitter, retry } from '../std/retry.ts'
import type { Log } from '../telemetry/log.ts'

const PAUSES = { baseMs: 500, maxMs: 2_000 }

export interface StartDeps {
  readonly clock: Clock
  readonly log: Log
  /** Ends the wait, with its reason. */
  readonly signal: AbortSignal
}

/** Opens something, as often as it takes until `waitMs` from now have passed. */
export type Open = <T>(what: string, open: () => Promise<T>) => Promise<T>

/** Rejects with the last failure. All that is opened shares one deadline. */
export function createStartWait({ clock, log, signal }: StartDeps, waitMs: number): Open {
  const deadlineMs = clock.monotonicMs() + waitMs
  return (what, open) =>
    retry(open, {
      delays: fullJitter(PAUSES),
      clock,
      signal,
      retryable(thrown) {
        const { code, message, retryable } = toFault(thrown)
        const leftMs = Math.round(deadlineMs - clock.monotonicMs())
        if (!retryable || leftMs <= 0) return false
        log.info({ code, reason: message, leftMs }, `waiting for the ${what}`)
        return true
      },
    })
}
