/**
 * Limits how long the service waits for a stream. The wait between lines, and between two chunks of a line, is at most
 * `idleMs`. The wait for one line, from its first byte to its end, is at most `lineMs`. Only time spent waiting for the
 * client counts: a line is not late while the service itself has no capacity.
 */

import { IngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'

export interface LinePace {
  /** Starts a wait for the next chunk, and returns its deadline. */
  wait(): { readonly withinMs: number; readonly late: () => IngotError }
  /** Ends the wait. `lines`: lines that have ended so far. `isInLine`: true if another line has begun. */
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
  /** Time spent waiting for the rest of the current line. */
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
