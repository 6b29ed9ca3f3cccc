/**
 * Runs an ingest across several connections. It continues at the first line without a result until the complete source
 * has results, a final failure ends it, or nothing has progressed for too long. Sending a line again is safe: its item
 * is then a duplicate of itself, and the counts report it as one.
 */

import { IngotError, toIngotError } from '../errors/error.ts'
import type { Clock } from '../std/clock.ts'
import { fullJitter } from '../std/retry.ts'
import type { Counts, LineFailure } from './answers.ts'
import type { Service } from './connection.ts'
import { type ExchangeContext, exchange, type LineAnswer } from './exchange.ts'
import type { Feed } from './feed.ts'

/** Progress of an ingest. */
export interface IngestState {
  readonly created: number
  readonly duplicate: number
  readonly failed: number
  /** Items with a result: the sum of the other counts. */
  readonly items: number
  /** Last physical line with a result. */
  readonly line: number
}

export interface IngestOptions {
  readonly service: Service
  readonly collection: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Longest time without a result after a connection broke, in milliseconds. Then the ingest fails. */
  readonly retryForMs: number
  /** Default: 30 s. See ExchangeContext. */
  readonly stallMs?: number
  readonly onFailure?: (failure: LineFailure) => void
  /** Called when a connection broke and will be retried after `delayMs`. */
  readonly onRetry?: (error: IngotError, delayMs: number) => void
  readonly random?: () => number
}

export interface IngestRun {
  readonly state: IngestState
  /** Resolves when every line has a result. Rejects with an IngotError, or the signal's reason. */
  finish(): Promise<void>
}

const STALL_MS = 30_000

const BACKOFF = { baseMs: 200, maxMs: 5_000 }

export function createIngestRun(feed: Feed, options: IngestOptions): IngestRun {
  return new Run(feed, options)
}

class Run implements IngestRun {
  readonly #feed: Feed
  readonly #options: IngestOptions
  readonly #counts = { created: 0, duplicate: 0, failed: 0 }
  /** The retry deadline and delays, from the first broken connection to the next result. */
  #retrying: { readonly untilMs: number; readonly delays: Iterator<number, void> } | undefined

  constructor(feed: Feed, options: IngestOptions) {
    this.#feed = feed
    this.#options = options
  }

  get state(): IngestState {
    return { ...this.#counts, items: this.#items, line: this.#feed.answeredLines }
  }

  get #items(): number {
    const { created, duplicate, failed } = this.#counts
    return created + duplicate + failed
  }

  async finish(): Promise<void> {
    for (;;) {
      const before = this.#items
      const error = await this.#attempt()
      if (error === undefined) return this.#checkComplete()
      if (this.#items > before) this.#retrying = undefined
      await this.#waitAfter(error)
    }
  }

  /** Returns the error that broke the connection if a retry may help. */
  async #attempt(): Promise<IngotError | undefined> {
    const { signal } = this.#options
    const before = { ...this.#counts }
    this.#feed.rewind()
    // a pause of the source is not a failure of the service, and no connection stays open during it
    if (await this.#feed.ready(signal)) this.#retrying = undefined
    try {
      checkSummary(await exchange(this.#context(), this.#feed, (answer) => this.#take(answer)), before, this.#counts)
      return undefined
    } catch (thrown) {
      signal.throwIfAborted()
      const error = toIngotError(thrown)
      if (error.retryable) return error
      throw error
    }
  }

  /** Waits before the next attempt. Rejects with the error itself when the retry time has run out. */
  async #waitAfter(error: IngotError): Promise<void> {
    const { clock, signal, retryForMs, random, onRetry } = this.#options
    const now = clock.monotonicMs()
    this.#retrying ??= { untilMs: now + retryForMs, delays: fullJitter(BACKOFF, random) }
    const leftMs = this.#retrying.untilMs - now
    if (leftMs <= 0) throw error
    const wantedMs = Math.max(this.#retrying.delays.next().value ?? 0, Number(error.facts['retryAfterMs'] ?? 0))
    const delayMs = Math.min(wantedMs, leftMs)
    onRetry?.(error, delayMs)
    await clock.sleep(delayMs, signal)
  }

  #context(): ExchangeContext {
    const { service, collection, clock, signal, stallMs = STALL_MS } = this.#options
    return { service, collection, clock, signal, stallMs }
  }

  #take(answer: LineAnswer): void {
    if (answer.kind === 'item') {
      this.#feed.answered(answer.line)
      this.#counts[answer.status]++
      return
    }
    this.#feed.answered(answer.failure.line)
    this.#counts.failed++
    this.#options.onFailure?.(answer.failure)
  }

  /** Throws unless every line got a result. Without one, a line must not count as saved. */
  #checkComplete(): void {
    const { items } = this.#feed
    if (this.#items === items) return
    throw new IngotError('REMOTE_REFUSED', `the service answered ${this.#items} of ${items} lines, yet says it is done`)
  }
}

/** Throws unless the service's summary equals the counts of the results on this connection. */
function checkSummary(summary: Counts, before: Counts, after: Counts): void {
  for (const key of ['created', 'duplicate', 'failed'] as const) {
    const counted = after[key] - before[key]
    if (counted !== summary[key]) {
      throw new IngotError(
        'REMOTE_REFUSED',
        `the service counts ${summary[key]} as ${key}, its results add up to ${counted}`,
      )
    }
  }
}
