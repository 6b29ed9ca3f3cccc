/**
 * Time as a dependency. Durations are always measured with the monotonic clock, which neither an operator nor an NTP
 * daemon can change. Wall time is only for people and for records.
 */
import { setTimeout as delay } from 'node:timers/promises'

export interface Clock {
  /** Milliseconds from an arbitrary origin. Never goes back. */
  monotonicMs(): number
  /** Milliseconds since the Unix epoch, by the machine's clock. Never use it to measure durations. */
  wallMs(): number
  /** Resolves after `ms` milliseconds. Rejects with the signal's reason if that aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls back once after `ms` milliseconds unless cancelled. By default the timer does not keep the process alive. */
  timer(ms: number, callback: () => void, options?: TimerOptions): Timer
}

export interface TimerOptions {
  /** If true, the timer keeps the process alive until it fires or is cancelled. Default: false. */
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
      // Node's own AbortError hides the reason of the caller
      throw signal?.aborted === true ? signal.reason : cause
    }
  },
  timer(ms, callback, options) {
    const handle = setTimeout(callback, ms)
    if (options?.keepsAlive !== true) handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}
