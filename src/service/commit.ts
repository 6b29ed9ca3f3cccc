/** Creates the commit of the service's units, with its metrics. */
import { createDirectCommit } from '../items/pipeline/direct-commit.ts'
import { createGroupCommit, type GroupCommit } from '../items/pipeline/group-commit.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { ServiceCache } from './cache.ts'
import type { ServiceDeps } from './deps.ts'

type CommitDeps = Pick<ServiceDeps, 'config' | 'clock' | 'metrics'>

/** Commits units one by one if each waits only for itself, and in groups if the store can share a commit. */
export function createServiceCommit(
  { config, clock, metrics }: CommitDeps,
  store: ServiceCache['commits'],
): GroupCommit {
  const { maxPendingItems, maxPendingBytes } = config
  const options = { store, clock, maxPendingItems, maxPendingBytes, onBatch: batchMetrics(metrics) }
  const isShared = store.capabilities.enforcesUniqueness
  const commit = isShared ? createGroupCommit(options) : createDirectCommit(options)
  measurePending(metrics, commit, { maxPendingItems, ...(isShared ? { maxPendingBytes } : {}) })
  return commit
}

interface PendingLimits {
  readonly maxPendingItems: number
  /** Absent if only the number of items is limited. */
  readonly maxPendingBytes?: number
}

/** Registers the gauges of items that wait for their commit. */
function measurePending(
  metrics: Metrics,
  commit: Pick<GroupCommit, 'pendingItems' | 'pendingBytes' | 'oldestMs'>,
  { maxPendingItems, maxPendingBytes }: PendingLimits,
): void {
  metrics.gaugeOf({ name: 'ingot_pending_items', help: 'Items waiting for their commit.' }, () => commit.pendingItems())
  metrics.gaugeOf({ name: 'ingot_pending_bytes', help: 'Bytes of the items waiting for their commit.' }, () =>
    commit.pendingBytes(),
  )
  metrics.gaugeOf(
    {
      name: 'ingot_pending_oldest_seconds',
      help: 'Age of the oldest item that waits for its commit; 0 if none waits.',
    },
    () => commit.oldestMs() / 1_000,
  )
  metrics.gaugeOf(
    { name: 'ingot_pending_items_limit', help: 'At this number of waiting items, requests get 429.' },
    () => maxPendingItems,
  )
  if (maxPendingBytes === undefined) return
  metrics.gaugeOf(
    { name: 'ingot_pending_bytes_limit', help: 'At this number of waiting bytes, requests get 429.' },
    () => maxPendingBytes,
  )
}

/** Registers the histograms of commits. Returns the callback of the group commit. */
function batchMetrics(metrics: Metrics): (batch: { items: number; ms: number }) => void {
  const items = metrics.histogram({
    name: 'ingot_commit_items',
    help: 'Items per commit.',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048],
  })
  const seconds = metrics.histogram({
    name: 'ingot_commit_seconds',
    help: 'Duration of a commit, including its fsync.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  })
  return (batch) => {
    items.observe(batch.items)
    seconds.observe(batch.ms / 1_000)
  }
}
