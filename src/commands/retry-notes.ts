/**
 * Messages of an ingest while its service is unavailable: the reason once, then an updated line on a terminal and
 * nothing in a log, until the reason changes or results come again.
 */
import type { Clock } from '../std/clock.ts'
import { timeText } from './line/progress.ts'

export interface RetryNotes {
  /**
   * Returns the message to print, or undefined if there is nothing new. `items` is the number of items with a result.
   */
  retrying(reason: string, items: number): string | undefined
  /** Returns the text that replaces the progress while the service is unavailable. */
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
      return before?.reason === reason ? undefined : `${reason}; retrying for ${leftText(away.sinceMs)}`
    },
    waiting(items) {
      if (away === undefined || away.items !== items) return undefined
      return `waiting for the service, ${leftText(away.sinceMs)} left`
    },
  }
}
