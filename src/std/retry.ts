/** Retries with backoff. The delays are a generator, which the retry loop consumes. */
import type { Clock } from './clock.ts'

export interface Backoff {
  /** Upper bound of the first delay, in milliseconds. */
  readonly baseMs: number
  /** Upper bound of every delay, in milliseconds. */
  readonly maxMs: number
  /** Number of delays. Default: unlimited. */
  readonly attempts?: number
}

/**
 * Full jitter: each delay is uniform between 0 and min(maxMs, baseMs * 2^n), so that waiters that failed together do
 * not retry together. Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function* fullJitter(backoff: Backoff, random: () => number = Math.random): Generator<number, void> {
  const attempts = backoff.attempts ?? Number.POSITIVE_INFINITY
  for (let n = 0; n < attempts; n++) yield random() * Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(n, 30))
}

export interface RetryOptions {
  readonly delays: Iterable<number>
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Returns true if this failure should be retried. Default: always. */
  readonly retryable?: (thrown: unknown) => boolean
}

/**
 * Retries until the attempt succeeds, the delays run out or the signal aborts. Rejects with the last failure or the
 * abort reason.
 */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { delays, clock, signal, retryable = () => true } = options
  const pending = delays[Symbol.iterator]()
  for (;;) {
    signal.throwIfAborted()
    try {
      return await attempt()
    } catch (thrown) {
      const next = pending.next()
      if (next.done === true || !retryable(thrown)) throw thrown
      await clock.sleep(next.value, signal)
    }
  }
}
