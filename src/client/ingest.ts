/**
 * An ingest that outlives its connections: it goes on at the first line without an answer until the whole source is
 * answered, a line of a kind that no retry helps ends it, or nothing has moved for too long. Sending a line again is
 * harmless: its item is then a duplicate of itself, and the counts say so.
 */

import { IngotError, toIngotError } from '../errors/error.ts'
import type { Clock } from '../std/clock.ts'
import { fullJitter } from '../std/retry.ts'
import type { Counts, LineFailure } from './answers.ts'
import type { Service } from './connection.ts'
import { type ExchangeContext, exchange, type LineAnswer } from './exchange.ts'
import type { Feed } from './feed.ts'

/** How far an ingest is. */
export interface IngestState {
  readonly created: number
  readonly duplicate: number
  readonly failed: number
  /** Items answered: the sum of the others. */
  readonly items: number
  /** Last physical line that is answered. */
  readonly line: number
}

export interface IngestOptions {
  readonly service: Service
  readonly collection: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Gives up when so long after a connection broke no line has been answered. */
  readonly retryForMs: number
  /** Default: 30 s. See ExchangeContext. */
  readonly stallMs?: number
  readonly onFailure?: (failure: LineFailure) => void
  /** A connection broke and will be tried again after so long. */
  readonly onRetry?: (error: IngotError, delayMs: number) => void
  readonly random?: () => number
}

export interface IngestRun {
  readonly state: IngestState
  /** Resolves when every line is answered. Rejects with a IngotError, or the signal's reason. */
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
  /** From the first broken connection to the next answer. */
  #patience: { readonly untilMs: number; readonly delays: Iterator<number, void> } | undefined

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
      if (this.#items > before) this.#patience = undefined
      await this.#waitAfter(error)
    }
  }

  /** The error that broke the connection, if another one may help. */
  async #attempt(): Promise<IngotError | undefined> {
    const { signal } = this.#options
    const before = { ...this.#counts }
    this.#feed.rewind()
    // a pause of the source is neither a reason to hold a connection open nor the service's doing
    if (await this.#feed.ready(signal)) this.#patience = undefined
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

  /** @throws the error itself when patience has run out */
  async #waitAfter(error: IngotError): Promise<void> {
    const { clock, signal, retryForMs, random, onRetry } = this.#options
    const now = clock.monotonicMs()
    this.#patience ??= { untilMs: now + retryForMs, delays: fullJitter(BACKOFF, random) }
    const leftMs = this.#patience.untilMs - now
    if (leftMs <= 0) throw error
    const wantedMs = Math.max(this.#patience.delays.next().value ?? 0, Number(error.facts['retryAfterMs'] ?? 0))
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

  /** Nothing may be taken for saved that was not answered line by line. */
  #checkComplete(): void {
    const { items } = this.#feed
    if (this.#items === items) return
    throw new IngotError('REMOTE_REFUSED', `the service answered ${this.#items} of ${items} lines, yet says it is done`)
  }
}

/** The service's summary must be what its answers on this connection add up to. */
function checkSummary(summary: Counts, before: Counts, after: Counts): void {
  for (const key of ['created', 'duplicate', 'failed'] as const) {
    const counted = after[key] - before[key]
    if (counted !== summary[key]) {
      throw new IngotError(
        'REMOTE_REFUSED',
        `the service counts ${summary[key]} as ${key}, its answers were ${counted}`,
      )
    }
  }
}
