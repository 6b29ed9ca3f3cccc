/**
 * Time as a dependency. Durations are always taken from the monotonic clock, which no operator and no NTP daemon
 * can move; wall time is for people and for records.
 */
import { setTimeout as delay } from 'node:timers/promises'

export interface Clock {
  /** Milliseconds from an arbitrary origin; never goes back. */
  monotonicMs(): number
  /** Milliseconds since the Unix epoch, as the machine believes. Never use it to measure. */
  wallMs(): number
  /** Resolves after `ms`; rejects with the signal's reason when that aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls back once after `ms` unless cancelled. Does not keep the process alive unless that is asked for. */
  timer(ms: number, callback: () => void, options?: TimerOptions): Timer
}

export interface TimerOptions {
  /** The process does not end by itself before the timer has rung or was cancelled. Default: false. */
  readonly keepsAlive?: boolean
}

export interface Timer {
  cancel(): void
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal })
    } catch (cause) {
      // node's own AbortError hides the reason that the caller gave
      throw signal?.aborted === true ? signal.reason : cause
    }
  },
  timer(ms, callback, options) {
    const handle = setTimeout(callback, ms)
    if (options?.keepsAlive !== true) handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}
