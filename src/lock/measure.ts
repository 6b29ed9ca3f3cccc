/** Metrics of the lock library. Prometheus durations are in seconds. Keys are never labels. */
import type { Metrics } from '../telemetry/metrics.ts'

/** Calls of a backend's port. */
export type Call = 'tryAcquire' | 'tryAcquireMany' | 'extend' | 'release' | 'inspect'

/** `expired`: not renewed in time. `taken`: the backend reports another owner or none. `overheld`: the maximum hold time. */
export type LossCause = 'expired' | 'taken' | 'overheld'

export interface LockMeasures {
  /** Records the time from the acquire call to the grant or the failure, in milliseconds. */
  waited(backend: string, outcome: 'granted' | 'failed', ms: number): void
  /** Counts a call that begins (1) or ends (-1) to wait for its lock. */
  waiting(change: 1 | -1): void
  /** Counts a lock that begins (1) or ends (-1) to be held. */
  holding(change: 1 | -1): void
  /** Records the time from the grant to its release or loss, in milliseconds. */
  held(backend: string, ms: number): void
  lost(backend: string, cause: LossCause): void
  /** Records one call of the backend. `outcome` is the kind of its result. */
  called(backend: string, call: Call, outcome: string, ms: number): void
  breaker(backend: string, state: 'closed' | 'half-open' | 'open'): void
  /** Records a write that a store refused because of its fence. Call it from the code that writes to the store. */
  staleWrite(store: string): void
}

/** Counts nothing. */
export const unmeasured: LockMeasures = {
  waited: () => {},
  waiting: () => {},
  holding: () => {},
  held: () => {},
  lost: () => {},
  called: () => {},
  breaker: () => {},
  staleWrite: () => {},
}

// 0.1 ms to 30 s: from a local round trip to the longest sensible wait
const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

const BREAKER_STATES = ['closed', 'half-open', 'open'] as const

/** What is known before the first call. The series of these are exported as 0. */
export interface MeasuredLocks {
  /** Name of the backend. */
  readonly backend?: string
  /** Names of the stores that check fences. Default: none. */
  readonly stores?: readonly string[]
}

const CAUSES: readonly LossCause[] = ['expired', 'taken', 'overheld']

/** The outcomes of each call. */
const OUTCOMES: Readonly<Record<Exclude<Call, 'inspect'>, readonly string[]>> = {
  tryAcquire: ['granted', 'held', 'unavailable'],
  tryAcquireMany: ['granted', 'held', 'unavailable'],
  extend: ['extended', 'lost', 'unavailable'],
  release: ['released', 'lost', 'unavailable'],
}

/**
 * Registers the `ingot_lock_*` and `ingot_locks_*` metrics. Throws on a second call with the same registry. `known`: default
 * nothing, so a series appears with its first event.
 */
export function createLockMeasures(metrics: Metrics, known: MeasuredLocks = {}): LockMeasures {
  const { stores = [] } = known
  const backends = known.backend === undefined ? [] : [known.backend]
  const waits = metrics.histogram({
    name: 'ingot_lock_wait_seconds',
    help: 'Time from the acquire call to the grant or the failure.',
    labels: ['backend', 'outcome'],
    buckets: SECONDS,
    series: backends.flatMap((backend) => ['granted', 'failed'].map((outcome) => ({ backend, outcome }))),
  })
  const holds = metrics.histogram({
    name: 'ingot_lock_hold_seconds',
    help: 'Time that locks were held.',
    labels: ['backend'],
    buckets: SECONDS,
    series: backends.map((backend) => ({ backend })),
  })
  const losses = metrics.counter({
    name: 'ingot_lock_lost_total',
    help: 'Locks that ended before their holder released them.',
    labels: ['backend', 'cause'],
    series: backends.flatMap((backend) => CAUSES.map((cause) => ({ backend, cause }))),
  })
  const calls = metrics.histogram({
    name: 'ingot_lock_call_seconds',
    help: 'Calls of the lock service; outcome unavailable is an outage, held is contention.',
    labels: ['backend', 'call', 'outcome'],
    buckets: SECONDS,
    series: backends.flatMap((backend) =>
      Object.entries(OUTCOMES).flatMap(([call, outcomes]) => outcomes.map((outcome) => ({ backend, call, outcome }))),
    ),
  })
  const breakers = metrics.gauge({
    name: 'ingot_lock_breaker_state',
    help: '1 for the state that the circuit breaker is in.',
    labels: ['backend', 'state'],
  })
  const stale = metrics.counter({
    name: 'ingot_lock_stale_writes_total',
    help: 'Writes that a store refused because a later holder had written.',
    labels: ['store'],
    series: stores.map((store) => ({ store })),
  })
  let [waitingNow, heldNow] = [0, 0]
  metrics.gaugeOf({ name: 'ingot_locks_waiting', help: 'Calls that wait for their lock now.' }, () => waitingNow)
  metrics.gaugeOf({ name: 'ingot_locks_held', help: 'Locks that this process holds now.' }, () => heldNow)
  return {
    waited: (backend, outcome, ms) => waits.observe(ms / 1_000, { backend, outcome }),
    waiting: (change) => void (waitingNow += change),
    holding: (change) => void (heldNow += change),
    held: (backend, ms) => holds.observe(ms / 1_000, { backend }),
    lost: (backend, cause) => losses.add({ backend, cause }),
    called: (backend, call, outcome, ms) => calls.observe(ms / 1_000, { backend, call, outcome }),
    breaker(backend, now) {
      for (const state of BREAKER_STATES) breakers.set(state === now ? 1 : 0, { backend, state })
    },
    staleWrite: (store) => stale.add({ store }),
  }
}
