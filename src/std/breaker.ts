/**
 * A circuit breaker, by opossum: a lock service that fails again and again is left alone for a while, so that callers
 * hear at once what they would otherwise wait for, and the service is not hammered while it recovers.
 *
 * closed --too many failures--> open --rest--> half-open --one probe succeeds--> closed, or fails--> open
 */
import CircuitBreaker from 'opossum'
import { IngotError } from './error.ts'

export type BreakerState = 'closed' | 'half-open' | 'open'

export interface BreakerOptions {
  /** Share of failures above which it opens, in percent of the calls within the window. Default: 50. */
  readonly thresholdPercent?: number
  /** It stays closed below so many calls within the window. Default: 10. */
  readonly volume?: number
  /** The window, in milliseconds. Default: 10000. */
  readonly windowMs?: number
  /**
   * How long it stays open before one call is let through as a probe, in milliseconds. Default: 500: a service that is
   * back is noticed soon after, and one that is away is asked twice a second.
   */
  readonly restMs?: number
}

export interface Breaker extends Disposable {
  readonly state: BreakerState
  /**
   * Makes the call unless open, and counts its answer; a failed answer is answered all the same. Rejects with
   * `LOCK_BREAKER_OPEN` without a call while open, and with what the call throws, which counts as a failure.
   */
  guard<T>(call: () => Promise<T>, failed: (answer: T) => boolean): Promise<T>
  /** Calls back on every change of state. */
  onChange(listener: (state: BreakerState) => void): void
}

/** How opossum learns of a failure that is a value. */
const FAILED = new IngotError('LOCK_BACKEND_UNAVAILABLE', 'counted by the breaker')

const WINDOW_BUCKETS = 10

function circuitOf(options: BreakerOptions): CircuitBreaker<[() => Promise<void>], void> {
  return new CircuitBreaker((run: () => Promise<void>) => run(), {
    // calls have time-outs of their own, and a late answer still matters here
    timeout: false,
    errorThresholdPercentage: options.thresholdPercent ?? 50,
    volumeThreshold: options.volume ?? 10,
    rollingCountTimeout: options.windowMs ?? 10_000,
    rollingCountBuckets: WINDOW_BUCKETS,
    rollingPercentilesEnabled: false,
    enableSnapshots: false,
    resetTimeout: options.restMs ?? 500,
  })
}

function isOpenRefusal(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'EOPENBREAKER'
}

/** Closed at first. Keeps time by timers of its own, which do not keep the process alive; disposing it stops them. */
export function createBreaker(options: BreakerOptions = {}): Breaker {
  const circuit = circuitOf(options)

  async function guard<T>(call: () => Promise<T>, failed: (answer: T) => boolean): Promise<T> {
    let answer: { readonly value: T } | undefined
    try {
      await circuit.fire(async () => {
        answer = { value: await call() }
        if (failed(answer.value)) throw FAILED
      })
    } catch (thrown) {
      if (isOpenRefusal(thrown)) throw new IngotError('LOCK_BREAKER_OPEN', 'the lock service is left alone for a while')
      if (thrown !== FAILED) throw thrown
    }
    if (answer === undefined) throw new TypeError('the circuit answered without a call')
    return answer.value
  }

  return {
    get state() {
      if (circuit.halfOpen) return 'half-open'
      return circuit.opened ? 'open' : 'closed'
    },
    guard,
    onChange(listener) {
      circuit.on('open', () => listener('open'))
      circuit.on('halfOpen', () => listener('half-open'))
      circuit.on('close', () => listener('closed'))
    },
    [Symbol.dispose]: () => circuit.shutdown(),
  }
}
