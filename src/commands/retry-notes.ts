/**
 * What an ingest says while its service is away: why, once; then a line that changes on a terminal, and nothing in a
 * log, until the reason changes or answers come again.
 */
import type { Clock } from '../std/clock.ts'
import { timeText } from './line/progress.ts'

export interface RetryNotes {
  /** Returns the note to print, if there is news. `items` are those answered so far. */
  retrying(reason: string, items: number): string | undefined
  /** Returns what stands in place of the progress while the service is away. */
  waiting(items: number): string | undefined
}

export function createRetryNotes(clock: Clock, retryForMs: number): RetryNotes {
  let away: { readonly reason: string; readonly items: number; readonly sinceMs: number } | undefined
  const leftText = (sinceMs: number): string =>
    timeText(Math.max(0, sinceMs + retryForMs - clock.monotonicMs()) / 1_000)
  return {
    retrying(reason, items) {
      const before = away?.items === items ? away : undefined
      away = { reason, items, sinceMs: before?.sinceMs ?? clock.monotonicMs() }
      return before?.reason === reason ? undefined : `${reason}; trying again for ${leftText(away.sinceMs)}`
    },
    waiting(items) {
      if (away === undefined || away.items !== items) return undefined
      return `waiting for the service, ${leftText(away.sinceMs)} left`
    },
  }
}
