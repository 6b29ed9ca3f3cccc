/**
 * A circuit breaker, by opossum. It stops calls to a service that fails repeatedly, so that callers fail at once rather
 * than after a timeout, and the service gets no load while it recovers.
 *
 * closed --too many failures--> open --rest--> half-open --one probe succeeds--> closed, or fails--> open
 */
import CircuitBreaker from 'opossum'

export type BreakerState = 'closed' | 'half-open' | 'open'

export interface BreakerOptions {
  /** Share of failures above which it opens, in percent of the calls within the window. Default: 50. */
  readonly thresholdPercent?: number
  /** Minimum number of calls within the window. Below it the breaker stays closed. Default: 10. */
  readonly volume?: number
  /** Length of the window, in milliseconds. Default: 10000. */
  readonly windowMs?: number
  /**
   * How long the breaker stays open before one call is let through as a probe, in milliseconds. Default: 500. A service
   * that recovers is noticed soon, and a service that is down gets only two calls per second.
   */
  readonly restMs?: number
}

export interface Breaker extends Disposable {
  readonly state: BreakerState
  /**
   * Makes the call unless the breaker is open, and resolves with its result. A result for which `failed` returns true
   * counts as a failure. Rejects with BreakerOpenError, without a call, while the breaker is open. Rethrows what the call
   * throws, which counts as a failure.
   */
  guard<T>(call: () => Promise<T>, failed: (answer: T) => boolean): Promise<T>
  /** Calls back on every change of state. */
  onChange(listener: (state: BreakerState) => void): void
}

/** The rejection of a call that was not made because the breaker is open. */
export class BreakerOpenError extends Error {
  override readonly name = 'BreakerOpenError'

  constructor() {
    super('the circuit breaker is open')
  }
}

/** Makes opossum count a failure that the call returned as a value. */
const FAILED = new Error('counted by the breaker')

const WINDOW_BUCKETS = 10

function circuitOf(options: BreakerOptions): CircuitBreaker<[() => Promise<void>], void> {
  return new CircuitBreaker((run: () => Promise<void>) => run(), {
    // calls have their own deadlines, and a late result still matters here
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

/** Returns a closed breaker. Its timers do not keep the process alive; disposing it stops them. */
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
      if (isOpenRefusal(thrown)) throw new BreakerOpenError()
      if (thrown !== FAILED) throw thrown
    }
    if (answer === undefined) throw new TypeError('the circuit resolved without a call')
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
