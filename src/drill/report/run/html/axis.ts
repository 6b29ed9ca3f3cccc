/** The time axis that all parts of the time line share. Pure. */
import type { DrillReport } from '../../model.ts'

/** Places a moment on the time axis. */
export interface TimeAxis {
  readonly fromMs: number
  readonly toMs: number
  /** Returns the position in percent, from 0 to 100. */
  readonly at: (ms: number) => number
}

/** Returns the axis from the start of the load to the last thing that happened. */
export function timeAxis({ series, roles, faults, marks }: DrillReport): TimeAxis {
  const { fromMs } = series
  const ends = faults.flatMap(({ struckAt, undoneAt }) => [momentOf(struckAt), momentOf(undoneAt)])
  const moments = [...roles, ...marks].map(({ atMs }) => atMs)
  const known = [...ends, ...moments].filter((ms): ms is number => ms !== undefined && Number.isFinite(ms))
  const loadEnd = fromMs + series.acknowledged.length * 1_000
  const latest = known.reduce((last, ms) => Math.max(last, ms), loadEnd)
  // a moment far away, such as one of a wrong clock, must not squeeze the load
  const toMs = Math.max(fromMs + 1_000, Math.min(latest, loadEnd + Math.max(60_000, loadEnd - fromMs)))
  return { fromMs, toMs, at: (ms) => Math.min(100, Math.max(0, ((ms - fromMs) / (toMs - fromMs)) * 100)) }
}

/** Returns the milliseconds of an ISO time, or undefined. */
export function momentOf(iso: string | undefined): number | undefined {
  const ms = iso === undefined ? Number.NaN : Date.parse(iso)
  return Number.isNaN(ms) ? undefined : ms
}

/** Returns a position on the axis as a coordinate of SVG. */
export const percent = (value: number): string => `${Math.round(value * 100) / 100}%`
