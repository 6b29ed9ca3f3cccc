/**
 * Measures outages: when saves were acknowledged, the longest time without one, and how the others failed. The caller
 * chooses the saves and the span.
 */
import type { Operation } from './operations.ts'

/** Time of the response; `unanswered` if no end was recorded. Milliseconds of the history's clock. */
export function endMs({ completion }: Operation, unanswered: number): number {
  return completion?.tMono ?? unanswered
}

/** Moments of the history's clock, milliseconds: from the first, up to the second. */
export interface Edges {
  readonly fromMs: number
  readonly untilMs: number
}

/** The longest time without any of the good answers, up to both edges. Those beyond them do not count. */
export function longestGapMs(goodMs: readonly number[], { fromMs, untilMs }: Edges): number {
  const within = goodMs.filter((ms) => ms >= fromMs && ms < untilMs)
  const marks = [...within.toSorted((a, b) => a - b), untilMs]
  return marks.reduce(({ longest, last }, mark) => ({ longest: Math.max(longest, mark - last), last: mark }), {
    longest: 0,
    last: fromMs,
  }).longest
}

/** Operations that were not acknowledged, by what came back: its error, or else `fail`, `info`, `unanswered`. */
export function byFailure(operations: readonly Operation[]): ReadonlyMap<string, readonly Operation[]> {
  return Map.groupBy(
    operations.filter(({ outcome }) => outcome !== 'ok'),
    ({ completion, outcome }) => (completion === undefined ? 'unanswered' : completion.error || outcome),
  )
}

/** However many there are: a call takes only so many arguments. Infinity of none. */
export function least(values: Iterable<number>): number {
  let found = Number.POSITIVE_INFINITY
  for (const value of values) found = Math.min(found, value)
  return found
}

/** As `least`. -Infinity of none. */
export function greatest(values: Iterable<number>): number {
  let found = Number.NEGATIVE_INFINITY
  for (const value of values) found = Math.max(found, value)
  return found
}
