/**
 * Measures outages: when saves were acknowledged, the longest time without one, and how the others failed. The caller
 * chooses the saves and the span.
 */
import type { Operation } from './operations.ts'

/**
 * Returns the time of the response, or `unanswered` if no completion was recorded. Milliseconds of the history's clock.
 */
export function endMs({ completion }: Operation, unanswered: number): number {
  return completion?.tMono ?? unanswered
}

/** A span of the history's clock in milliseconds, from `fromMs` until `untilMs`. */
export interface Edges {
  readonly fromMs: number
  readonly untilMs: number
}

/**
 * Returns the longest time between acknowledgements or edges, in milliseconds. Acknowledgements beyond the edges do not
 * count.
 */
export function longestGapMs(goodMs: readonly number[], { fromMs, untilMs }: Edges): number {
  const within = goodMs.filter((ms) => ms >= fromMs && ms < untilMs)
  const marks = [...within.toSorted((a, b) => a - b), untilMs]
  return marks.reduce(({ longest, last }, mark) => ({ longest: Math.max(longest, mark - last), last: mark }), {
    longest: 0,
    last: fromMs,
  }).longest
}

/** Groups the operations that were not acknowledged by their error, or else by `fail`, `info` or `unanswered`. */
export function byFailure(operations: readonly Operation[]): ReadonlyMap<string, readonly Operation[]> {
  return Map.groupBy(
    operations.filter(({ outcome }) => outcome !== 'ok'),
    ({ completion, outcome }) => (completion === undefined ? 'unanswered' : completion.error || outcome),
  )
}

/** Returns the minimum, or Infinity if there are no values. Math.min accepts a limited number of arguments only. */
export function least(values: Iterable<number>): number {
  let found = Number.POSITIVE_INFINITY
  for (const value of values) found = Math.min(found, value)
  return found
}

/** Returns the maximum, or -Infinity if there are no values. */
export function greatest(values: Iterable<number>): number {
  let found = Number.NEGATIVE_INFINITY
  for (const value of values) found = Math.max(found, value)
  return found
}
