/** Logs the problems of the export of spans. */
import type { DiagLogger } from '@opentelemetry/api'
import { type Clock, systemClock } from '../std/clock.ts'
import type { Log } from './log.ts'

/** Shortest time between two lines, in milliseconds: a collector that is down fails every batch. */
const QUIET_MS = 60_000

const nothing = (): void => {}

/** Returns a logger that writes problems, at most one each minute. */
export function diagnostics(log: Log, clock: Pick<Clock, 'monotonicMs'> = systemClock): DiagLogger {
  let lastMs = Number.NEGATIVE_INFINITY
  const warn = (message: string): void => {
    const nowMs = clock.monotonicMs()
    if (nowMs - lastMs < QUIET_MS) return
    lastMs = nowMs
    log.warn({ problem: message }, 'spans are not exported')
  }
  return { error: warn, warn, info: nothing, debug: nothing, verbose: nothing }
}
