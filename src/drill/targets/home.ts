/**
 * Port to the place from which a drill runs: the sources of its records, and the store. A shell starts Jobs beside the
 * service; the runner's pod has k6 and the canary on its own volume.
 */
import type { FinalStore } from '../checkers/final-store.ts'
import type { Event } from '../history.ts'

/** Settings of a load. */
export interface LoadOptions {
  /** Name of the run. Contents contain it. */
  readonly run: string
  readonly collection: string
  /** Iterations per second. */
  readonly rate: number
  /** Timeout of a request, in milliseconds. */
  readonly timeoutMs: number
  /** The load ends by itself after so long, in milliseconds. Default: 30 minutes. */
  readonly maxMs?: number
}

/** A running load. */
export interface Load extends AsyncDisposable {
  /** Resolves with the responses since a moment, in milliseconds since the Unix epoch. At most the last minutes are known. */
  since(fromMs: number, signal: AbortSignal): Promise<Recent>
  /** Stops the load. Resolves with its requests and responses. */
  stop(signal: AbortSignal): Promise<readonly Event[]>
  /** Sends every item again until it is acknowledged. Resolves with these requests and responses. */
  settle(signal: AbortSignal): Promise<readonly Event[]>
}

/** Requests whose response came in a span of time. */
export interface Recent {
  readonly requests: number
  /** Requests with an item that was not acknowledged. */
  readonly failed: number
  /** Requests that a replica refused with 429 or 5xx. */
  readonly refused: number
}

/** A running canary, which records what Redis itself acknowledges. */
export interface Canary extends AsyncDisposable {
  /** Stops the writes, waits until every number was read back, and resolves with the events. */
  stop(signal: AbortSignal): Promise<readonly Event[]>
}

export interface DrillHome {
  /** Resolves when k6 has begun to send. */
  startLoad(options: LoadOptions, signal: AbortSignal): Promise<Load>
  /** Resolves with undefined if the release has no Redis. */
  startCanary(signal: AbortSignal): Promise<Canary | undefined>
  /** Resolves with the content of one collection in the store. */
  readStore(collection: string, signal: AbortSignal): Promise<FinalStore>
  /** Deletes the collection of a drill from the service. Rejects with the status if the service refuses it. */
  dropCollection(collection: string, signal: AbortSignal): Promise<void>
}
