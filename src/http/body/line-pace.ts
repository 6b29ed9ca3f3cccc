/**
 * How long a stream may leave us waiting. Between lines, and between two chunks of a line, at most `idleMs`; for one
 * line, from its first byte to its end, at most `lineMs`. Only time in which we wait for the client counts: while the
 * service itself has no room, a line is not late.
 */

import { IngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'

export interface LinePace {
  /** Starts a wait for the next chunk; returns its deadline. */
  wait(): { readonly withinMs: number; readonly late: () => IngotError }
  /** Ends the wait. `lines`: lines that have ended so far. `isInLine`: whether another one has begun. */
  got(lines: number, isInLine: boolean): void
}

export interface PaceLimits {
  readonly idleMs: number
  readonly lineMs: number
}

export function createLinePace(clock: Clock, { idleMs, lineMs }: PaceLimits): LinePace {
  let waitingSinceMs = clock.monotonicMs()
  let lines = 0
  let isInLine = false
  /** Time that we have waited for the rest of the line. */
  let waitedMs = 0

  return {
    wait() {
      waitingSinceMs = clock.monotonicMs()
      const lineLeftMs = isInLine ? lineMs - waitedMs : Number.POSITIVE_INFINITY
      if (idleMs <= lineLeftMs)
        return { withinMs: idleMs, late: () => stalled(`no data came for ${idleMs} ms (bodyIdle)`) }
      const late = (): IngotError => stalled(`line ${lines + 1} did not end within ${lineMs} ms (bodyTime)`)
      return { withinMs: Math.max(lineLeftMs, 0), late }
    },
    got(nowLines, nowInLine) {
      const isSameLine = isInLine && nowInLine && nowLines === lines
      waitedMs = isSameLine ? waitedMs + clock.monotonicMs() - waitingSinceMs : 0
      lines = nowLines
      isInLine = nowInLine
    },
  }
}

function stalled(message: string): IngotError {
  return new IngotError('BODY_STALLED', message)
}
