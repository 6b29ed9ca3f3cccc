/** Aggregates the series of a load to what a screen can show. Pure. */
import type { Series } from '../../model.ts'

export interface Bucket {
  /** Start, in milliseconds since the Unix epoch. */
  readonly atMs: number
  readonly seconds: number
  /** Acknowledged writes per second: average and lowest second. */
  readonly acknowledged: number
  readonly lowest: number
  /** Failed writes per second: highest second. */
  readonly failed: number
  /** Median of the seconds with an acknowledged write, in milliseconds. Undefined without one. */
  readonly p50Ms: number | undefined
  /** Highest second, in milliseconds. Undefined without an acknowledged write. */
  readonly p99Ms: number | undefined
}

/** Returns at most `most` buckets of equal length. Peaks and seconds without a write stay visible. */
export function bucketsOf({ fromMs, acknowledged, failed, p50Ms, p99Ms }: Series, most: number): readonly Bucket[] {
  const total = acknowledged.length
  const size = Math.max(1, Math.ceil(total / most))
  return Array.from({ length: Math.ceil(total / size) }, (_, index) => {
    const [from, to] = [index * size, Math.min(total, (index + 1) * size)]
    const good = acknowledged.slice(from, to)
    const medians = positive(p50Ms.slice(from, to)).toSorted((a, b) => a - b)
    return {
      atMs: fromMs + from * 1_000,
      seconds: to - from,
      acknowledged: good.reduce((sum, one) => sum + one, 0) / good.length,
      lowest: least(good),
      failed: greatest(failed.slice(from, to)),
      p50Ms: medians[Math.floor(medians.length / 2)],
      p99Ms: positive(p99Ms.slice(from, to)).reduce<number | undefined>(larger, undefined),
    }
  })
}

const positive = (values: readonly number[]): readonly number[] => values.filter((value) => value > 0)
const larger = (before: number | undefined, value: number): number => Math.max(before ?? 0, value)
const greatest = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, value), 0)
const least = (values: readonly number[]): number =>
  values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY)

/** Returns the spans without an acknowledged write, from the first write to the end of the load. */
export function silences({ fromMs, acknowledged }: Series): readonly Span[] {
  const spans: Span[] = []
  const first = acknowledged.findIndex((count) => count > 0)
  let from: number | undefined
  for (const [second, count] of acknowledged.entries()) {
    if (second < first || first < 0) continue
    if (count === 0) from ??= second
    else if (from !== undefined) {
      spans.push({ fromMs: fromMs + from * 1_000, toMs: fromMs + second * 1_000 })
      from = undefined
    }
  }
  return spans
}

export interface Span {
  readonly fromMs: number
  readonly toMs: number
}
