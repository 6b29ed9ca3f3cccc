/**
 * Limits how fast a client takes new epochs, because there are only 2^23. Failovers stay far below the limit. The limit
 * is for two servers that both act as primary of the same data permanently: they take epochs from each other in turn.
 */

import { IngotError } from '../../../errors/error.ts'
import type { Clock } from '../../../std/clock.ts'

/** Maximum number of epochs at once, and the time after which one more is allowed, in milliseconds. */
export const BURST = 60
export const EARN_MS = 30_000

export interface Allowance {
  /** Takes one. Throws `LOCK_BACKEND_UNAVAILABLE` if too many were taken recently. */
  spend(): void
}

/** A token bucket. Source: Turner, "New directions in communications", IEEE Communications Magazine 24(10), 1986. */
export function createAllowance(clock: Clock): Allowance {
  let left = BURST
  let sinceMs = clock.monotonicMs()
  return {
    spend() {
      const now = clock.monotonicMs()
      const earned = Math.floor((now - sinceMs) / EARN_MS)
      if (left + earned >= BURST) sinceMs = now
      else sinceMs += earned * EARN_MS
      left = Math.min(BURST, left + earned)
      if (left === 0) {
        throw new IngotError(
          'LOCK_BACKEND_UNAVAILABLE',
          'epochs for fences are taken too often: two redis servers seem to be primary of the same data',
        )
      }
      left--
    },
  }
}
