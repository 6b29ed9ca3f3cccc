/** Structured logs. An event is a stable message with fields. Content, secrets and keys are never logged. */
import pino from 'pino'
import { printable } from '../std/printable.ts'
import { currentTrace, logFieldsOf } from './spans.ts'

export interface Log {
  debug(fields: object, event: string): void
  info(fields: object, event: string): void
  warn(fields: object, event: string): void
  error(fields: object, event: string): void
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LogOptions {
  readonly level: LogLevel
  /** File descriptor for the lines. Default: 1. */
  readonly fd?: number
}

/**
 * Writes one JSON line per event with `time`, `level` and `msg`. An error in `err` is written with its code and cause.
 * Within a trace, a line also has its `trace_id` and `span_id`.
 */
export function createLog(options: LogOptions): Log {
  return pino(
    {
      level: options.level,
      base: null,
      mixin: () => logFieldsOf(currentTrace()),
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      // JSON does not escape DEL, C1 controls and characters that reorder text
      hooks: { streamWrite: printable },
    },
    pino.destination({ dest: options.fd ?? 1, sync: true }),
  )
}

/** Drops every event. For libraries that are used without a log. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
