/** The dashboard of locks, the shared cache and Redis of a release. */
import type { Board, Row } from './model.ts'
import { maxBy, medianAndP99, quantileBy, rateBy } from './promql.ts'
import { redisRow } from './redis-panels.ts'
import { drills, RELEASE, RELEASE_VARIABLES, roleChanges } from './shared.ts'

const TOPOLOGY = 'namespace="$namespace",topology="$job-redis"'
const EXPORTER = 'namespace="$namespace",job="$job-redis"'

const locks: Row = {
  title: 'Locks',
  panels: [
    {
      title: 'Circuit breakers',
      question: 'Does a replica not reach the lock service?',
      runbook: 'RUNBOOK.md#redis-or-the-external-api-is-unavailable',
      series: { '{{state}}': `sum by (state) (ingot_lock_breaker_state{${RELEASE}})` },
    },
    {
      title: 'Calls of the lock service (p99)',
      question: 'How fast does the lock service respond?',
      runbook: 'RUNBOOK.md#redis-or-the-external-api-is-unavailable',
      unit: 's',
      series: { '{{call}}': quantileBy(0.99, 'ingot_lock_call_seconds', RELEASE, 'call') },
    },
    {
      title: 'Outcomes of calls',
      question: 'Do calls of the lock service fail, or find locks that are held?',
      runbook: 'RUNBOOK.md#redis-or-the-external-api-is-unavailable',
      unit: 'ops',
      series: { '{{call}} {{outcome}}': rateBy('call, outcome', 'ingot_lock_call_seconds_count', RELEASE) },
    },
    {
      title: 'Wait for locks (p99)',
      question: 'How long do items wait for their locks?',
      runbook: 'RUNBOOK.md#redis-or-the-external-api-is-unavailable',
      unit: 's',
      series: { '{{outcome}}': quantileBy(0.99, 'ingot_lock_wait_seconds', RELEASE, 'outcome') },
    },
    {
      title: 'Time of holding',
      question: 'How long are locks held?',
      runbook: 'RUNBOOK.md#a-lock-was-lost',
      unit: 's',
      series: medianAndP99('ingot_lock_hold_seconds', RELEASE),
    },
    {
      title: 'Locks now',
      question: 'How many locks are held, and how many calls wait for one?',
      runbook: 'RUNBOOK.md#redis-or-the-external-api-is-unavailable',
      series: {
        held: `sum(ingot_locks_held{${RELEASE}})`,
        waiting: `sum(ingot_locks_waiting{${RELEASE}})`,
      },
    },
    {
      title: 'Lost locks',
      question: 'Do leases end before their holders release them?',
      runbook: 'RUNBOOK.md#a-lock-was-lost',
      series: { '{{cause}}': `sum by (cause) (increase(ingot_lock_lost_total{${RELEASE}}[$__rate_interval]))` },
    },
    {
      title: 'Stale writes',
      question: 'Did the store refuse writes of a holder that had lost its lock?',
      runbook: 'RUNBOOK.md#a-lock-was-lost',
      series: { '{{store}}': `sum by (store) (increase(ingot_lock_stale_writes_total{${RELEASE}}[$__rate_interval]))` },
    },
    {
      title: 'Batches without locks',
      question: 'Are items saved without a lock, and why?',
      runbook: 'RUNBOOK.md#redis-or-the-external-api-is-unavailable',
      series: { '{{reason}}': rateBy('reason', 'ingot_unlocked_batches_total', RELEASE) },
    },
  ],
}

const cache: Row = {
  title: 'Shared cache',
  panels: [
    {
      title: 'Lookups',
      question: 'How often does the cache know an id?',
      runbook: 'RUNBOOK.md#redis-or-the-external-api-is-unavailable',
      series: { '{{result}}': rateBy('result', 'ingot_cache_lookups_total', RELEASE) },
    },
    {
      title: 'Failed calls',
      question: 'Does the cache respond?',
      runbook: 'RUNBOOK.md#redis-or-the-external-api-is-unavailable',
      series: {
        '{{call}} {{why}}': rateBy('call, why', 'ingot_cache_errors_total', RELEASE),
        'breaker {{state}}': `sum by (state) (ingot_cache_breaker_state{${RELEASE}})`,
      },
    },
    {
      title: 'Entries',
      question: 'Are new ids written to the cache, or dropped?',
      runbook: 'RUNBOOK.md#redis-or-the-external-api-is-unavailable',
      series: {
        written: `sum(rate(ingot_cache_written_total{${RELEASE}}[$__rate_interval]))`,
        'dropped: {{reason}}': rateBy('reason', 'ingot_cache_dropped_total', RELEASE),
      },
    },
  ],
}

const exporter: Row = {
  title: 'Redis, with the exporter',
  panels: [
    {
      title: 'Memory',
      question: 'How much of its memory does Redis use? When it is full, it grants no locks.',
      runbook: 'RUNBOOK.md#the-memory-of-redis-fills-up',
      unit: 'percentunit',
      limit: 0.9,
      series: { '{{pod}}': `redis_memory_used_bytes{${EXPORTER}} / (redis_memory_max_bytes{${EXPORTER}} > 0)` },
    },
    {
      title: 'Commands',
      question: 'How many commands does each server run?',
      runbook: 'RUNBOOK.md#redis-or-the-external-api-is-unavailable',
      unit: 'ops',
      series: { '{{pod}}': rateBy('pod', 'redis_commands_processed_total', EXPORTER) },
    },
    {
      title: 'Clients',
      question: 'How many clients does each server have?',
      runbook: 'RUNBOOK.md#redis-or-the-external-api-is-unavailable',
      series: { '{{pod}}': maxBy('pod', 'redis_connected_clients', EXPORTER) },
    },
  ],
}

export const LOCKS: Board = {
  name: 'locks',
  title: 'locks and Redis',
  about: 'Locks, the shared cache and Redis of a release.',
  variables: RELEASE_VARIABLES,
  annotations: [roleChanges(TOPOLOGY), drills('namespace="$namespace"')],
  rows: [locks, redisRow(TOPOLOGY), exporter, cache],
}
