/**
 * A queue of keys to reconcile. One key is reconciled once at a time; a key that is added while it is reconciled is
 * reconciled again. A failed key waits with full jitter, and at least as long as the server asked for.
 */
import { reasonOf, toIngotError } from '../../errors/error.ts'
import type { Clock, Timer } from '../../std/clock.ts'
import type { Log } from '../../telemetry/log.ts'
import { retryAfterMsOf } from '../client/api.ts'
import type { RuntimeMeasures } from './measures.ts'
import { isLogged } from './repeats.ts'

export interface Reconciled {
  /** Reconciles the key again after so long, in milliseconds. Default: at its next change or resync. */
  readonly requeueAfterMs?: number
}

/** Brings the world closer to what the object of the key asks for. The signal aborts when leadership ends. */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<Reconciled | undefined>

export interface WorkQueueOptions {
  /** Name in metrics and logs. */
  readonly name: string
  readonly reconcile: Reconcile
  /** Keys reconciled at the same time. Default: 4. */
  readonly concurrency?: number
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly measures: RuntimeMeasures
}

export interface WorkQueue {
  /** Has the key reconciled soon, also when it waits after a failure. */
  add(key: string): void
  /** Has the key reconciled after so long, or sooner when something else adds it. */
  addAfter(key: string, ms: number): void
  /** Forgets failures and waits of a key that no longer exists. */
  forget(key: string): void
  /** Reconciles until the signal aborts. Resolves when the last reconcile has ended. To be called once. */
  run(signal: AbortSignal): Promise<void>
}

const CONCURRENCY = 4
const BACKOFF_BASE_MS = 100
const BACKOFF_MAX_MS = 60_000

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  return new KeyedQueue(options)
}

class KeyedQueue implements WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #ready = new Set<string>()
  readonly #active = new Map<string, Promise<void>>()
  /** Keys to reconcile again because they were added while active. */
  readonly #again = new Set<string>()
  readonly #timers = new Map<string, Timer>()
  readonly #failures = new Map<string, number>()
  #wake = Promise.withResolvers<void>()

  constructor(options: WorkQueueOptions) {
    this.#options = options
    options.measures.controller(options.name)
  }

  add(key: string): void {
    this.#cancelTimer(key)
    if (this.#active.has(key)) return void this.#again.add(key)
    this.#ready.add(key)
    this.#measureDepth()
    this.#wake.resolve()
  }

  addAfter(key: string, ms: number): void {
    if (this.#ready.has(key) || this.#again.has(key)) return
    this.#cancelTimer(key)
    this.#timers.set(
      key,
      this.#options.clock.timer(ms, () => this.add(key)),
    )
  }

  forget(key: string): void {
    this.#cancelTimer(key)
    this.#failures.delete(key)
  }

  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake.resolve(), { once: true })
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers()
      this.#startReady(signal)
      await this.#wake.promise
    }
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    await Promise.all(this.#active.values())
  }

  #startReady(signal: AbortSignal): void {
    const { concurrency = CONCURRENCY } = this.#options
    for (const key of this.#ready) {
      if (this.#active.size >= concurrency) return
      this.#ready.delete(key)
      this.#active.set(key, this.#work(key, signal))
      this.#measureDepth()
    }
  }

  async #work(key: string, signal: AbortSignal): Promise<void> {
    const { name, reconcile, clock, measures } = this.#options
    const beganMs = clock.monotonicMs()
    let outcome: 'done' | 'failed' = 'done'
    try {
      const result = await reconcile(key, signal)
      this.#failures.delete(key)
      if (result?.requeueAfterMs !== undefined) this.addAfter(key, result.requeueAfterMs)
    } catch (thrown) {
      outcome = 'failed'
      if (!signal.aborted) this.#failed(key, thrown)
    } finally {
      measures.reconciled(name, outcome, clock.monotonicMs() - beganMs)
      this.#active.delete(key)
      if (this.#again.delete(key)) this.add(key)
      this.#wake.resolve()
    }
  }

  #failed(key: string, thrown: unknown): void {
    const { name, random, log } = this.#options
    const count = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, count)
    const bound = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(count, 20))
    if (isLogged(count)) {
      const { code } = toIngotError(thrown)
      log.warn({ controller: name, key, code, reason: reasonOf(thrown), failures: count }, 'reconcile failed')
    }
    this.addAfter(key, Math.max(random() * bound, retryAfterMsOf(thrown) ?? 0))
  }

  #cancelTimer(key: string): void {
    this.#timers.get(key)?.cancel()
    this.#timers.delete(key)
  }

  #measureDepth(): void {
    this.#options.measures.depth(this.#options.name, this.#ready.size)
  }
}
