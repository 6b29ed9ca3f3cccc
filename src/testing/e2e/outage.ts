/**
 * What a fault cost those who send: seconds without a good write, failed writes by class, and the first good write
 * after. From the history alone. Pure.
 */
import { type Operation, operationsOf } from '../../drill/check/operations.ts'
import type { Event } from '../../drill/history.ts'

export interface Outage {
  /** Writes begun in the window. */
  readonly writes: number
  /** Longest time between two good answers that the fault or what follows it lies in, milliseconds. */
  readonly withoutGoodMs: number
  /** From the strike to the first good answer to a write that began after it; absent when there was none. */
  readonly firstGoodMs?: number
  /** From the strike to the beginning of the last write that failed; 0 when none did. */
  readonly failingMs: number
  /** Writes that were refused or that nobody knows of, by class, from the strike on. */
  readonly failures: Readonly<Record<string, number>>
  /** Writes that had ended before the strike, and those of them that failed: there must be none. */
  readonly writesBefore: number
  readonly failedBefore: number
}

export interface Times {
  readonly fromMs: number
  readonly struckMs: number
  readonly untilMs: number
}

/** `events` may be more than the window's. */
export function outageOf(events: readonly Event[], { fromMs, struckMs, untilMs }: Times): Outage {
  const all = operationsOf(events, 'save').filter(({ invoke }) => invoke.tMono >= fromMs && invoke.tMono < untilMs)
  const good = all.filter(({ outcome }) => outcome === 'ok')
  const failed = all.filter(({ outcome }) => outcome !== 'ok')
  const hurt = failed.filter((operation) => endOf(operation) >= struckMs)
  const first = good
    .filter(({ invoke }) => invoke.tMono >= struckMs)
    .reduce((least, operation) => Math.min(least, endOf(operation)), Number.POSITIVE_INFINITY)
  return {
    writes: all.length,
    withoutGoodMs: longestGap(good.map(endOf), { struckMs, untilMs }),
    ...(Number.isFinite(first) ? { firstGoodMs: first - struckMs } : {}),
    failingMs: Math.max(0, ...hurt.map(({ invoke }) => invoke.tMono - struckMs)),
    failures: countBy(hurt.map(classOf)),
    writesBefore: all.filter((operation) => endOf(operation) < struckMs).length,
    failedBefore: failed.length - hurt.length,
  }
}

/** One without an end was never answered: it ended after everything. */
function endOf({ completion }: Operation): number {
  return completion?.tMono ?? Number.POSITIVE_INFINITY
}

function longestGap(ends: readonly number[], { struckMs, untilMs }: Omit<Times, 'fromMs'>): number {
  const before = Math.max(...ends.filter((end) => end < struckMs), Number.NEGATIVE_INFINITY)
  const marks = [Number.isFinite(before) ? before : struckMs, ...ends.filter((end) => end >= struckMs && end < untilMs)]
  const sorted = [...marks.toSorted((a, b) => a - b), untilMs]
  return Math.max(...sorted.slice(1).map((mark, index) => mark - (sorted[index] ?? mark)))
}

/** As the converter of the load names it: a status with its code, or what broke. */
function classOf({ completion, outcome }: Operation): string {
  if (completion === undefined) return 'unanswered'
  return completion.error === undefined || completion.error === '' ? outcome : completion.error
}

function countBy(names: readonly string[]): Readonly<Record<string, number>> {
  const counts = Object.groupBy(names, (name) => name)
  return Object.fromEntries(Object.entries(counts).map(([name, all]) => [name, all?.length ?? 0]))
}
