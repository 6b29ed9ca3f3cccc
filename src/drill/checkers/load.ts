/** Whether an open load was what it was to be: a record that is cut, or a load that was held back, proves nothing. */
import type { Event } from '../history.ts'
import { phasesOf } from './operations.ts'
import { type Finding, findingOf, inconclusive } from './verdict.ts'

/** Whether a load generator took part. */
export function hasLoad(history: readonly Event[]): boolean {
  return phasesOf(history, 'load-began').length > 0
}

/**
 * Every run of the generator was recorded to its end, and it made every arrival that it planned: a generator that waits
 * for a service that stalls hides the stall.
 */
export function loadWhole(history: readonly Event[]): Finding {
  const runs = phasesOf(history, 'load-began').length
  const ended = phasesOf(history, 'load-ended')
  const ends = [...ended, ...phasesOf(history, 'load-cut')]
  const dropped = ends.reduce((sum, { value }) => sum + Number(value ?? 0), 0)
  const figures = { runs, dropped }
  if (ended.length < runs) return inconclusive('the record of the load was cut before its end', figures)
  if (dropped > 0) return inconclusive(`${dropped} arrivals were not made: the load was not open`, figures)
  return findingOf([], figures)
}
