/**
 * How a long piece of work shows itself: on a terminal one line that is painted over, elsewhere a plain line every few
 * seconds, so that a log stays readable. What the line says comes from whoever works; here it is only timed.
 */
import type { Clock, Timer } from '../../std/clock.ts'
import type { Output } from './command.ts'

export interface Progress {
  /** Prints a line of its own without breaking the painted one. */
  note(text: string): void
  /** Takes the painted line away. */
  stop(): void
}

export interface ProgressOptions {
  readonly output: Output
  readonly clock: Clock
  /** The line: for a terminal of so many columns, or plain when there is none. Without one nothing is shown. */
  readonly line: (columns: number | undefined) => string | undefined
}

const PAINT_MS = 200
const PLAIN_MS = 5_000

/** For whoever wants none. */
export const NO_PROGRESS: Progress = { note: () => {}, stop: () => {} }

/** Begins at once. */
export function startProgress(options: ProgressOptions): Progress {
  return options.output.isTTY === true ? paintLine(options) : printLines(options)
}

function paintLine({ output, clock, line }: ProgressOptions): Progress {
  const erase = (): void => void output.write(ERASE_LINE)
  const ticker = every(clock, PAINT_MS, () => {
    erase()
    // a terminal whose size is unknown says 0 columns
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

/** To the first column, and clear what is behind it. Bytes, for text has its controls escaped. Source: ECMA-48, EL. */
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

/** 1234567 is `1,234,567`. */
export function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** `45 s`, `3 min 20 s`, `2 h 5 min` */
export function timeText(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`
}
