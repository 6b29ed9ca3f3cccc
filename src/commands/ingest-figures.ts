/** Formats the progress of an ingest as a sentence and as a bar. */
import type { Clock } from '../std/clock.ts'
import { grouped, timeText } from './line/progress.ts'

export interface Amounts {
  readonly created: number
  readonly duplicate: number
  readonly failed: number
  readonly doneBytes: number
  /** Absent if the size is unknown. */
  readonly totalBytes?: number
}

export interface Speed {
  readonly itemsPerSecond: number
  /** Absent if it cannot be estimated. */
  readonly secondsLeft?: number
}

export interface Pace {
  /** Returns the speed over the last seconds. */
  look(amounts: Amounts): Speed
}

/** Long enough for a steady figure, short enough to follow a change, in milliseconds. */
const WINDOW_MS = 10_000

interface Sample {
  readonly ms: number
  readonly items: number
  readonly bytes: number
}

export function createPace(clock: Clock): Pace {
  const samples: Sample[] = [{ ms: clock.monotonicMs(), items: 0, bytes: 0 }]
  return {
    look(amounts) {
      const now = { ms: clock.monotonicMs(), items: itemsOf(amounts), bytes: amounts.doneBytes }
      samples.push(now)
      // keeps one sample from before the window as the reference
      while (samples.length > 2 && (samples[1]?.ms ?? now.ms) <= now.ms - WINDOW_MS) samples.shift()
      return speedBetween(samples[0] ?? now, now, amounts.totalBytes)
    },
  }
}

function speedBetween(from: Sample, to: Sample, totalBytes: number | undefined): Speed {
  const seconds = (to.ms - from.ms) / 1_000
  const itemsPerSecond = seconds === 0 ? 0 : (to.items - from.items) / seconds
  const bytesPerSecond = seconds === 0 ? 0 : (to.bytes - from.bytes) / seconds
  if (totalBytes === undefined || bytesPerSecond <= 0) return { itemsPerSecond }
  return { itemsPerSecond, secondsLeft: Math.max(0, totalBytes - to.bytes) / bytesPerSecond }
}

function itemsOf({ created, duplicate, failed }: Amounts): number {
  return created + duplicate + failed
}

/** Returns a line such as `[######------]  52%  31,204 created, 1,022 duplicate, 0 failed, 41,000/s, 12 s left`. */
export function bar(amounts: Amounts, speed: Speed, columns: number): string {
  const { totalBytes } = amounts
  if (totalBytes === undefined || totalBytes === 0) return sentence(amounts, speed).slice(0, columns - 1)
  const share = Math.min(1, amounts.doneBytes / totalBytes)
  const text = ` ${percent(share).padStart(4)}  ${figures(amounts, speed)}`
  const width = Math.min(30, columns - text.length - 3)
  if (width < 5) return text.trim().slice(0, columns - 1)
  const full = Math.round(share * width)
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}]${text}`
}

/** Returns the same without the bar, for a log. */
export function sentence(amounts: Amounts, speed: Speed): string {
  const { totalBytes, doneBytes } = amounts
  const share = totalBytes === undefined || totalBytes === 0 ? '' : `${percent(Math.min(1, doneBytes / totalBytes))}, `
  return share + figures(amounts, speed)
}

function figures(amounts: Amounts, { itemsPerSecond, secondsLeft }: Speed): string {
  const left = secondsLeft === undefined ? '' : `, ${timeText(secondsLeft)} left`
  return `${countsText(amounts)}, ${grouped(Math.round(itemsPerSecond))}/s${left}`
}

/** Returns a text such as `1,204 created, 31 duplicate, 0 failed`. */
export function countsText({ created, duplicate, failed }: Omit<Amounts, 'doneBytes' | 'totalBytes'>): string {
  return `${grouped(created)} created, ${grouped(duplicate)} duplicate, ${grouped(failed)} failed`
}

function percent(share: number): string {
  return `${Math.floor(share * 100)}%`
}
