/** Structured logs: an event is a stable message and fields. Content, secrets and keys never go in. */
import pino from 'pino'
import { printable } from '../std/printable.ts'

export interface Log {
  debug(fields: object, event: string): void
  info(fields: object, event: string): void
  warn(fields: object, event: string): void
  error(fields: object, event: string): void
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LogOptions {
  readonly level: LogLevel
  /** File descriptor that gets the lines. Default: 1. */
  readonly fd?: number
}

/** A JSON line per event with `time`, `level`, `msg`. Errors under `err` are written with code and cause. */
export function createLog(options: LogOptions): Log {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      // JSON leaves DEL, C1 controls and what reorders text as they are
      hooks: { streamWrite: printable },
    },
    pino.destination({ dest: options.fd ?? 1, sync: true }),
  )
}

/** Drops everything: for libraries used without a log. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
