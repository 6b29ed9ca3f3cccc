/**
 * Computes the cost of a fault for clients from the history alone: time without an acknowledged write, failed writes by
 * class, and the first acknowledged write afterwards. Pure.
 */

import { type Operation, operationsOf } from '../checkers/operations.ts'
import { byFailure, type Edges, endMs, greatest, least, longestGapMs } from '../checkers/responses.ts'
import type { Event } from '../history.ts'

/** The cost of one fault for clients. */
export interface Outage {
  /** Number of writes that began in the window. */
  readonly writes: number
  /** Longest time between acknowledged writes, counted from the last one before the injection, in milliseconds. */
  readonly withoutGoodMs: number
  /**
   * Time from the injection to the first acknowledged write that began after it, in milliseconds. Absent if there was
   * none.
   */
  readonly firstGoodMs?: number
  /** Longest acknowledged write that ended after the injection, in milliseconds; 0 without one. */
  readonly slowestMs: number
  /** Time from the injection to the beginning of the last write that failed, in milliseconds; 0 if none did. */
  readonly failingMs: number
  /** Writes after the injection that were refused or have an unknown outcome, by class. */
  readonly failures: Readonly<Record<string, number>>
  /** Writes that had ended before the injection, and how many of them failed. None may have failed. */
  readonly writesBefore: number
  readonly failedBefore: number
}

export interface Times extends Edges {
  readonly injectedMs: number
}

/**
 * Returns the outage of the writes that began in the window; `events` may hold others. A write without a response
 * counts as ending after the window.
 */
export function outageOf(events: readonly Event[], { fromMs, injectedMs, untilMs }: Times): Outage {
  const all = operationsOf(events, 'save').filter(({ invoke }) => invoke.tMono >= fromMs && invoke.tMono < untilMs)
  const good = all.filter(({ outcome }) => outcome === 'ok')
  const before = all.filter((operation) => endOf(operation) < injectedMs)
  const failed = all.filter((operation) => operation.outcome !== 'ok' && endOf(operation) >= injectedMs)
  const firstGoodMs = least(good.filter(({ invoke }) => invoke.tMono >= injectedMs).map(endOf))
  return {
    writes: all.length,
    withoutGoodMs: withoutGoodMs(good.map(endOf), { injectedMs, untilMs }),
    ...(Number.isFinite(firstGoodMs) ? { firstGoodMs: firstGoodMs - injectedMs } : {}),
    slowestMs: Math.max(0, greatest(good.filter((one) => endOf(one) >= injectedMs).map(durationOf))),
    failingMs: Math.max(0, greatest(failed.map(({ invoke }) => invoke.tMono)) - injectedMs),
    failures: Object.fromEntries(Array.from(byFailure(failed), ([name, operations]) => [name, operations.length])),
    writesBefore: before.length,
    failedBefore: before.filter(({ outcome }) => outcome !== 'ok').length,
  }
}

const durationOf = (operation: Operation): number => endOf(operation) - operation.invoke.tMono

const endOf = (operation: Operation): number => endMs(operation, Number.POSITIVE_INFINITY)

/**
 * Returns the longest gap in milliseconds. It counts from the last acknowledged write before the injection, because
 * requests in progress were cut off.
 */
function withoutGoodMs(goodMs: readonly number[], { injectedMs, untilMs }: Omit<Times, 'fromMs'>): number {
  const lastMs = greatest(goodMs.filter((ms) => ms < injectedMs))
  return longestGapMs(goodMs, { fromMs: Number.isFinite(lastMs) ? lastMs : injectedMs, untilMs })
}
