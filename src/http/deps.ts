/** The dependencies and options of the HTTP app. */
import type { Ingest } from '../items/pipeline/ingest.ts'
import type { Purger } from '../items/pipeline/purger.ts'
import type { ServiceStore } from '../items/store.ts'
import type { Clock } from '../std/clock.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Authenticate } from './access.ts'
import type { ReceiveBudget } from './body/receive-budget.ts'
import type { EventFeed } from './events/feed.ts'
import type { HttpMetrics } from './http-metrics.ts'
import type { Readiness } from './readiness.ts'
import type { ReplicaStatus } from './replica-status.ts'

export interface HttpOptions {
  readonly maxItemBytes: number
  readonly maxBatchBytes: number
  readonly maxBatchItems: number
  readonly idempotencyTtlMs: number
  /** Maximum bytes of all bodies in memory together. Beyond them requests get 429. */
  readonly maxReceivingBytes: number
  /** Longest pause within a body, in milliseconds. */
  readonly bodyIdleMs: number
  /** Longest time for a body, or for one line of a stream, in milliseconds. */
  readonly bodyTimeMs: number
  readonly readStallMs: number
}

export interface HttpDeps {
  readonly ingest: Ingest
  readonly store: ServiceStore
  readonly purger: Pick<Purger, 'wake'>
  readonly authenticate: Authenticate
  readonly events: EventFeed
  /** Resolves with the state of the service, also if its store does not respond. */
  readonly status: () => Promise<ReplicaStatus>
  /** Called after each check of the store with the code of its failure, `undefined` if it is available. */
  readonly onStoreCheck: (code: string | undefined) => void
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /**
   * Aborts when the service is about to end. The service is then not ready, and every response closes its connection.
   * Requests are still served, so that clients have moved elsewhere before the first request is refused.
   */
  readonly leaving: AbortSignal
  /** Aborts later, when the service begins to drain: open streams end and new requests are refused. */
  readonly draining: AbortSignal
}

export interface RouteContext extends HttpDeps {
  readonly options: HttpOptions
  readonly receiving: ReceiveBudget
  readonly counts: HttpMetrics
  readonly readiness: Readiness
}
