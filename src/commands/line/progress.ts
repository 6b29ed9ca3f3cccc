/**
 * Shows the progress of long work: one updated line on a terminal, and a plain line every few seconds elsewhere, so
 * that a log stays readable. The caller supplies the text; this module only controls the timing.
 */
import type { Clock, Timer } from '../../std/clock.ts'
import type { Output } from './command.ts'

export interface Progress {
  /** Prints a separate line without breaking the updated line. */
  note(text: string): void
  /** Removes the updated line. */
  stop(): void
}

export interface ProgressOptions {
  readonly output: Output
  readonly clock: Clock
  /**
   * Returns the text for a terminal with so many columns, or for a log if undefined. Nothing is shown if it returns
   * undefined.
   */
  readonly line: (columns: number | undefined) => string | undefined
}

const PAINT_MS = 200
const PLAIN_MS = 5_000

/** Shows nothing. */
export const NO_PROGRESS: Progress = { note: () => {}, stop: () => {} }

/** Starts to show progress. */
export function startProgress(options: ProgressOptions): Progress {
  return options.output.isTTY === true ? paintLine(options) : printLines(options)
}

function paintLine({ output, clock, line }: ProgressOptions): Progress {
  const erase = (): void => void output.write(ERASE_LINE)
  const ticker = every(clock, PAINT_MS, () => {
    erase()
    // a terminal of unknown size reports 0 columns
    output.write(line(output.columns || 80) ?? '')
  })
  return {
    note(text) {
      erase()
      output.write(`${text}\n`)
    },
    stop() {
      ticker.cancel()
      erase()
    },
  }
}

/**
 * Moves to the first column and clears the line. Bytes, because control characters in text are escaped. Source:
 * ECMA-48, EL.
 */
const ERASE_LINE = Buffer.from('\r\x1b[K')

function printLines({ output, clock, line }: ProgressOptions): Progress {
  const ticker = every(clock, PLAIN_MS, () => {
    const text = line(undefined)
    if (text !== undefined) output.write(`${text}\n`)
  })
  return { note: (text) => void output.write(`${text}\n`), stop: () => ticker.cancel() }
}

function every(clock: Clock, ms: number, work: () => void): Timer {
  let timer = clock.timer(ms, tick)
  function tick(): void {
    work()
    timer = clock.timer(ms, tick)
  }
  return { cancel: () => timer.cancel() }
}

/** Returns the number with grouped digits: `1,234,567`. */
export function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** Returns a text such as `45 s`, `3 min 20 s` or `2 h 5 min`. */
export function timeText(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`
}
