/** Checks that an open load was complete. An incomplete record or a delayed load proves nothing. */
import type { Event } from '../history.ts'
import { phasesOf } from './operations.ts'
import { type Finding, findingOf, inconclusive } from './verdict.ts'

/** Returns true if a load generator took part. */
export function hasLoad(history: readonly Event[]): boolean {
  return phasesOf(history, 'load-began').length > 0
}

/**
 * Valid if every run of the generator was recorded to its end and made every planned arrival. A generator that waits
 * for a stalled service hides the stall.
 */
export function loadComplete(history: readonly Event[]): Finding {
  const runs = phasesOf(history, 'load-began').length
  const ended = phasesOf(history, 'load-ended')
  const ends = [...ended, ...phasesOf(history, 'load-cut')]
  const dropped = ends.reduce((sum, { value }) => sum + Number(value ?? 0), 0)
  const figures = { runs, dropped }
  if (ended.length < runs) return inconclusive('the record of the load was truncated before its end', figures)
  if (dropped > 0) return inconclusive(`${dropped} arrivals were not made: the load was not open`, figures)
  return findingOf([], figures)
}
