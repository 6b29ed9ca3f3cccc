/** The dashboard of the service: requests, items, replicas, store and processes. */
import type { Board, Row } from './model.ts'
import { maxBy, medianAndP99, quantileBy, rateBy } from './promql.ts'
import { drills, RELEASE, RELEASE_VARIABLES, roleChanges } from './shared.ts'

const CLIENTS = `${RELEASE},kind!="probe"`
const ALL = `sum(rate(ingot_http_requests_total{${CLIENTS}}[$__rate_interval]))`

const share = (status: string): string =>
  `sum(rate(ingot_http_requests_total{${CLIENTS},status=~"${status}"}[$__rate_interval])) / ${ALL}`

const requests: Row = {
  title: 'Requests',
  panels: [
    {
      title: 'Requests',
      question: 'How many requests arrive, and of which kind?',
      runbook: 'RUNBOOK.md#the-service-is-overloaded',
      unit: 'reqps',
      series: { '{{kind}}': rateBy('kind', 'ingot_http_requests_total', CLIENTS) },
    },
    {
      title: 'Share of 5xx',
      question: 'Do requests fail? The objective is less than 0.1 %.',
      runbook: 'RUNBOOK.md#requests-fail',
      unit: 'percentunit',
      limit: 0.001,
      series: { '5xx': share('5..') },
    },
    {
      title: 'Refused and failed requests',
      question: 'Which status do requests get that are not successful?',
      runbook: 'RUNBOOK.md#requests-fail',
      unit: 'reqps',
      series: { '{{status}}': rateBy('status', 'ingot_http_requests_total', `${CLIENTS},status=~"[45].."`) },
    },
    {
      title: 'Share of 429',
      question: 'Does the service refuse requests because it is full?',
      runbook: 'RUNBOOK.md#the-service-is-overloaded',
      unit: 'percentunit',
      limit: 0.01,
      series: { '429': share('429') },
    },
    {
      title: 'Response time (p99)',
      question: 'How long do requests take? Streams and probes are not included.',
      runbook: 'RUNBOOK.md#commits-are-slow',
      unit: 's',
      series: { '{{kind}}': quantileBy(0.99, 'ingot_http_request_seconds', `${RELEASE},kind!~"probe|stream"`, 'kind') },
    },
    {
      title: 'Requests in progress',
      question: 'Do requests pile up?',
      runbook: 'RUNBOOK.md#the-service-is-overloaded',
      series: { '{{kind}}': `sum by (kind) (ingot_http_in_flight{${CLIENTS}})` },
    },
    {
      title: 'First results of streams',
      question: 'How long do streams wait for their first results?',
      runbook: 'RUNBOOK.md#commits-are-slow',
      unit: 's',
      series: medianAndP99('ingot_stream_first_result_seconds', RELEASE),
    },
    {
      title: 'Rate of streams',
      question: 'How many items per second do streams get saved?',
      runbook: 'RUNBOOK.md#commits-are-slow',
      series: { median: quantileBy(0.5, 'ingot_stream_items_per_second', RELEASE) },
    },
  ],
}

const items: Row = {
  title: 'Items',
  panels: [
    {
      title: 'Items',
      question: 'How many items are created, recognised as duplicates, and refused?',
      runbook: 'RUNBOOK.md#check-whether-data-was-lost',
      series: { '{{result}}': rateBy('result', 'ingot_items_total', RELEASE) },
    },
    {
      title: 'Duplicates',
      question: 'Which part recognises duplicates? Those found by the store cost a transaction.',
      runbook: 'RUNBOOK.md#commits-are-slow',
      series: { '{{found_by}}': rateBy('found_by', 'ingot_duplicates_total', RELEASE) },
    },
    {
      title: 'Repeated responses',
      question: 'How often do clients repeat a request under an Idempotency-Key?',
      runbook: 'RUNBOOK.md#requests-fail',
      unit: 'reqps',
      series: { replays: `sum(rate(ingot_idempotent_replays_total{${RELEASE}}[$__rate_interval]))` },
    },
    {
      title: 'Sizes of items',
      question: 'How large are the items?',
      runbook: 'RUNBOOK.md#the-service-is-overloaded',
      unit: 'bytes',
      series: medianAndP99('ingot_item_bytes', RELEASE),
    },
    {
      title: 'Deletions of collections',
      question: 'Does the removal of deleted collections make progress?',
      runbook: 'RUNBOOK.md#a-deletion-of-a-collection-does-not-end',
      series: {
        'open deletions': `max(ingot_open_deletions{${RELEASE}})`,
        'items removed per second': `sum(rate(ingot_purged_items_total{${RELEASE}}[$__rate_interval]))`,
      },
    },
  ],
}

const replicas: Row = {
  title: 'Replicas',
  panels: [
    {
      title: 'Ready replicas',
      question: 'Do the replicas take requests?',
      runbook: 'RUNBOOK.md#the-service-is-down',
      series: {
        ready: `sum(ingot_ready{${RELEASE}})`,
        draining: `sum(ingot_draining{${RELEASE}})`,
        scraped: `sum(up{${RELEASE}})`,
      },
    },
    {
      title: 'Replicas that reach the store',
      question: 'Does every replica reach the store?',
      runbook: 'RUNBOOK.md#postgres-is-unavailable',
      series: { '{{pod}}': maxBy('pod', 'ingot_store_up', RELEASE) },
    },
    {
      title: 'Versions',
      question: 'Which versions run, with which store and lock service?',
      runbook: 'RUNBOOK.md#upgrade-scale-or-restart',
      type: 'table',
      series: { replicas: `count by (version, store, lock) (ingot_build_info{${RELEASE}})` },
    },
    {
      title: 'Time until certificates expire',
      question: 'Does the certificate of a peer expire soon? The alert fires 14 days before.',
      runbook: 'RUNBOOK.md#a-certificate-expires',
      unit: 's',
      series: { '{{peer}}': `min by (peer) (ingot_certificate_expiry_timestamp_seconds{${RELEASE}}) - time()` },
    },
    {
      title: 'Use of the limits',
      question: 'How near are the replicas to the limits at which requests get 429?',
      runbook: 'RUNBOOK.md#the-service-is-overloaded',
      unit: 'percentunit',
      limit: 1,
      series: {
        'items {{pod}}': `ingot_pending_items{${RELEASE}} / ingot_pending_items_limit{${RELEASE}}`,
        'bytes {{pod}}': `ingot_pending_bytes{${RELEASE}} / ingot_pending_bytes_limit{${RELEASE}}`,
        'bodies {{pod}}': `ingot_receiving_bytes{${RELEASE}} / ingot_receiving_bytes_limit{${RELEASE}}`,
      },
    },
    {
      title: 'Oldest waiting item',
      question: 'How long does the oldest item wait for its commit?',
      runbook: 'RUNBOOK.md#commits-are-slow',
      unit: 's',
      limit: 10,
      series: { '{{pod}}': maxBy('pod', 'ingot_pending_oldest_seconds', RELEASE) },
    },
  ],
}

const store: Row = {
  title: 'Store',
  panels: [
    {
      title: 'Commits',
      question: 'How long do commits take?',
      runbook: 'RUNBOOK.md#commits-are-slow',
      unit: 's',
      limit: 1,
      series: medianAndP99('ingot_commit_seconds', RELEASE),
    },
    {
      title: 'Items per commit',
      question: 'How many items share a commit?',
      runbook: 'RUNBOOK.md#commits-are-slow',
      series: medianAndP99('ingot_commit_items', RELEASE),
    },
    {
      title: 'Calls of the store (p99)',
      question: 'Which calls of the store are slow?',
      runbook: 'RUNBOOK.md#commits-are-slow',
      unit: 's',
      series: { '{{call}}': quantileBy(0.99, 'ingot_store_call_seconds', RELEASE, 'call') },
    },
    {
      title: 'Connections',
      question: 'Does the store have enough connections?',
      runbook: 'RUNBOOK.md#the-connection-pool-is-exhausted',
      series: {
        '{{state}}': `sum by (state) (ingot_store_pool_connections{${RELEASE}})`,
        limit: `sum(ingot_store_pool_limit{${RELEASE}})`,
        'waiting calls': `sum(ingot_store_pool_waiting{${RELEASE}})`,
      },
    },
    {
      title: 'Repeated transactions',
      question: 'Does Postgres abort transactions?',
      runbook: 'RUNBOOK.md#commits-are-slow',
      series: { '{{sqlstate}}': rateBy('sqlstate', 'ingot_store_retries_total', RELEASE) },
    },
    {
      title: 'Free space of volumes',
      question: 'Does a volume fill up?',
      runbook: 'RUNBOOK.md#a-disk-fills-up',
      unit: 'percentunit',
      series: { '{{persistentvolumeclaim}}': freeSpace('persistentvolumeclaim=~"(data-)?$job(-.*)?"') },
    },
  ],
}

function freeSpace(claims: string): string {
  const selector = `namespace="$namespace",${claims}`
  return `kubelet_volume_stats_available_bytes{${selector}} / kubelet_volume_stats_capacity_bytes{${selector}}`
}

const processes: Row = {
  title: 'Processes',
  panels: [
    {
      title: 'Event loop (p99)',
      question: 'Is the event loop late?',
      runbook: 'RUNBOOK.md#the-event-loop-is-late',
      unit: 's',
      limit: 0.25,
      series: { '{{pod}}': maxBy('pod', 'nodejs_eventloop_lag_p99_seconds', RELEASE) },
    },
    {
      title: 'CPU',
      question: 'How much CPU do the processes use?',
      runbook: 'RUNBOOK.md#the-event-loop-is-late',
      series: { '{{pod}}': rateBy('pod', 'process_cpu_seconds_total', RELEASE) },
    },
    {
      title: 'Memory',
      question: 'How much memory do the processes use?',
      runbook: 'RUNBOOK.md#the-service-is-overloaded',
      unit: 'bytes',
      series: { '{{pod}}': maxBy('pod', 'process_resident_memory_bytes', RELEASE) },
    },
  ],
}

export const SERVICE: Board = {
  name: 'service',
  title: 'service',
  about: 'Requests, items, replicas and store of a release.',
  variables: RELEASE_VARIABLES,
  annotations: [roleChanges('namespace="$namespace",topology="$job-redis"'), drills('namespace="$namespace"')],
  rows: [requests, items, replicas, store, processes],
}
