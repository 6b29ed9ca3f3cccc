/** What the HTTP service is made of: everything that it needs and does not choose. */
import type { Ingest } from '../items/pipeline/ingest.ts'
import type { ServiceStore } from '../items/store.ts'
import type { Clock } from '../std/clock.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Authenticate } from './access.ts'
import type { ReceiveBudget } from './body/receive-budget.ts'
import type { HttpMetrics } from './http-metrics.ts'

export interface HttpOptions {
  readonly maxItemBytes: number
  readonly maxBatchBytes: number
  readonly maxBatchItems: number
  readonly idempotencyTtlMs: number
  /** Bytes of all bodies in memory together, before requests get 429. */
  readonly maxReceivingBytes: number
  /** Longest pause of a body, milliseconds. */
  readonly bodyIdleMs: number
  /** Longest time that a body may take, or a line of a stream, milliseconds. */
  readonly bodyTimeMs: number
  readonly readStallMs: number
}

export interface HttpDeps {
  readonly ingest: Ingest
  readonly store: ServiceStore
  readonly authenticate: Authenticate
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /**
   * Aborts when the service is told to end: readiness is lost, and every answer closes its connection. Requests are
   * answered all the same, so that clients have gone elsewhere before the first one is refused.
   */
  readonly leaving: AbortSignal
  /** Aborts when the service begins to drain, after that: open streams end, new requests are refused. */
  readonly draining: AbortSignal
}

export interface RouteContext extends HttpDeps {
  readonly options: HttpOptions
  readonly receiving: ReceiveBudget
  readonly counts: HttpMetrics
}
