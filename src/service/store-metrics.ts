/** Metrics of the store's transactions and connections, and of batches without locks. */
import type { ErrorCode } from '../errors/error.ts'
import type { StorePool } from '../items/store-registration.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** Registers the counter of repeated transactions. */
export function countRetries(metrics: Metrics): (sqlstate: string) => void {
  const retries = metrics.counter({
    name: 'ingot_store_retries_total',
    help: 'Transactions that the store aborted (deadlock, serialization) and that were retried.',
    labels: ['sqlstate'],
    // https://www.postgresql.org/docs/17/errcodes-appendix.html, class 40
    series: [{ sqlstate: '40001' }, { sqlstate: '40P01' }],
  })
  return (sqlstate) => retries.add({ sqlstate })
}

/** The reasons of batches without locks that are exported before the first one. */
const REASONS: readonly ErrorCode[] = [
  'LOCK_BACKEND_UNAVAILABLE',
  'LOCK_BREAKER_OPEN',
  'LOCK_LOST',
  'LOCK_TIMEOUT',
  'REDIS_UNREACHABLE',
  'REDIS_ACCESS_REFUSED',
  'FENCE_STORE_UNAVAILABLE',
]

/** Registers the counter of batches that were stored without their locks. */
export function countUnlocked(metrics: Metrics): (reason: ErrorCode) => void {
  const unlocked = metrics.counter({
    name: 'ingot_unlocked_batches_total',
    help: 'Batches that were stored without their locks, because the lock service was not available.',
    labels: ['reason'],
    series: REASONS.map((reason) => ({ reason })),
  })
  return (reason) => unlocked.add({ reason })
}

/** Registers the gauges of the store's connections. */
export function measurePool(metrics: Metrics, read: () => StorePool): void {
  metrics.gaugesOf(
    { name: 'ingot_store_pool_connections', help: 'Connections to the store.', labels: ['state'] },
    () => {
      const { idle, used } = read()
      return [
        { labels: { state: 'idle' }, value: idle },
        { labels: { state: 'used' }, value: used },
      ]
    },
  )
  metrics.gaugeOf(
    { name: 'ingot_store_pool_limit', help: 'Maximum number of connections to the store.' },
    () => read().limit,
  )
  metrics.gaugeOf(
    { name: 'ingot_store_pool_waiting', help: 'Calls of the store that wait for a connection.' },
    () => read().waiting,
  )
}
