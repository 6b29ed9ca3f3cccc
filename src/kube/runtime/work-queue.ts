/**
 * A queue of keys to reconcile. One key is reconciled once at a time; a key that is added while it is reconciled is
 * reconciled again. A failed key waits with full jitter, and at least as long as the server asked for.
 */
import { reasonOf, toIngotError } from '../../errors/error.ts'
import type { Clock, Timer } from '../../std/clock.ts'
import type { Log } from '../../telemetry/log.ts'
import { retryAfterMsOf } from '../client/api.ts'
import type { RuntimeMeasures } from './measures.ts'

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
  const { name, reconcile, concurrency = CONCURRENCY, clock, random, log, measures } = options
  const ready = new Set<string>()
  const active = new Set<string>()
  /** Keys to reconcile again because they were added while active. */
  const again = new Set<string>()
  const timers = new Map<string, Timer>()
  const failures = new Map<string, number>()
  let wake = Promise.withResolvers<void>()

  function add(key: string): void {
    timers.get(key)?.cancel()
    timers.delete(key)
    if (active.has(key)) return void again.add(key)
    ready.add(key)
    measures.depth(name, ready.size)
    wake.resolve()
  }

  function addAfter(key: string, ms: number): void {
    if (ready.has(key) || again.has(key)) return
    timers.get(key)?.cancel()
    timers.set(
      key,
      clock.timer(ms, () => add(key)),
    )
  }

  function failed(key: string, thrown: unknown): void {
    const count = (failures.get(key) ?? 0) + 1
    failures.set(key, count)
    const bound = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(count, 20))
    const ms = Math.max(random() * bound, retryAfterMsOf(thrown) ?? 0)
    // one line at the first failure, the second, the fourth …
    if (Number.isInteger(Math.log2(count))) {
      const { code } = toIngotError(thrown)
      log.warn({ controller: name, key, code, reason: reasonOf(thrown), failures: count }, 'reconcile failed')
    }
    addAfter(key, ms)
  }

  async function work(key: string, signal: AbortSignal): Promise<void> {
    const beganMs = clock.monotonicMs()
    let outcome: 'done' | 'failed' = 'done'
    try {
      const result = await reconcile(key, signal)
      failures.delete(key)
      if (result?.requeueAfterMs !== undefined) addAfter(key, result.requeueAfterMs)
    } catch (thrown) {
      if (signal.aborted) return
      outcome = 'failed'
      failed(key, thrown)
    } finally {
      measures.reconciled(name, outcome, clock.monotonicMs() - beganMs)
      active.delete(key)
      if (again.delete(key)) add(key)
      wake.resolve()
    }
  }

  function startReady(signal: AbortSignal, running: Set<Promise<void>>): void {
    for (const key of ready) {
      if (active.size >= concurrency) return
      ready.delete(key)
      active.add(key)
      measures.depth(name, ready.size)
      const one = work(key, signal).finally(() => running.delete(one))
      running.add(one)
    }
  }

  return {
    add,
    addAfter,
    forget(key) {
      timers.get(key)?.cancel()
      timers.delete(key)
      failures.delete(key)
    },
    async run(signal) {
      const running = new Set<Promise<void>>()
      const stop = (): void => wake.resolve()
      signal.addEventListener('abort', stop, { once: true })
      while (!signal.aborted) {
        wake = Promise.withResolvers()
        startReady(signal, running)
        await wake.promise
      }
      for (const timer of timers.values()) timer.cancel()
      timers.clear()
      await Promise.all(running)
    },
  }
}
