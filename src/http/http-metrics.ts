/** Metrics of the HTTP service. */
import type { FoundBy } from '../items/item.ts'
import type { RawContent } from '../items/prepare.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { createItemSizes } from './item-sizes.ts'

/** A result of an item, or an entry of a receipt. */
type Counted = { readonly kind: 'created' | 'refused' } | { readonly kind: 'duplicate'; readonly foundBy: FoundBy }

type ItemKind = 'single' | 'batch' | 'stream'

/** The kind of a request. `probe`: health checks and scrapes. */
export type RequestKind = ItemKind | 'other' | 'probe'

export const REQUEST_KINDS: readonly RequestKind[] = ['single', 'batch', 'stream', 'other', 'probe']

export interface RouteLabels {
  readonly route: string
  readonly method: string
  readonly kind: RequestKind
}

export interface AnsweredRequest extends RouteLabels {
  readonly status: number
  readonly seconds: number
  /** The caller's trace, if the caller records it. */
  readonly sampledTrace: string | undefined
}

export interface StreamFigures {
  readonly items: number
  readonly seconds: number
}

export interface HttpMetrics {
  /** Exports the series of a route that can be requested, before its first request. */
  route(labels: RouteLabels): void
  began(kind: RequestKind): void
  /** Call it once for each request that began. */
  ended(request: AnsweredRequest): void
  /** Records the sizes of items as they were received. */
  received(contents: readonly RawContent[]): void
  /** `path`: the kind of request that brought the items. */
  items(path: ItemKind, results: readonly Counted[]): void
  /** Records the time from the head of a stream to its first result. */
  streamAnswered(seconds: number): void
  /** Records the rate of a stream that ended, complete or not. */
  streamEnded(figures: StreamFigures): void
  replayed(): void
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const CLASSES = ['2xx', '4xx', '5xx'] as const
const ITEM_KINDS: readonly ItemKind[] = ['single', 'batch', 'stream']
const ITEM_RESULTS = ['created', 'duplicate', 'refused'] as const
const FOUND_BY: readonly FoundBy[] = ['memory', 'batch', 'inflight', 'cache', 'store']

/** Registers the metrics. Throws on a second call with the same registry. */
export function createHttpMetrics(metrics: Metrics): HttpMetrics {
  const traffic = createTraffic(metrics)
  const items = metrics.counter({
    name: 'ingot_items_total',
    help: 'Items answered, by outcome and by kind of request.',
    labels: ['path', 'result'],
    series: ITEM_KINDS.flatMap((path) => ITEM_RESULTS.map((result) => ({ path, result }))),
  })
  const duplicates = metrics.counter({
    name: 'ingot_duplicates_total',
    help: 'Duplicates, by the part that recognised them.',
    labels: ['found_by'],
    series: FOUND_BY.map((found_by) => ({ found_by })),
  })
  const replays = metrics.counter({
    name: 'ingot_idempotent_replays_total',
    help: 'Responses repeated under an Idempotency-Key.',
    series: [{}],
  })
  const firstResult = metrics.histogram({
    name: 'ingot_stream_first_result_seconds',
    help: 'Time from the head of a stream to its first results.',
    buckets: SECONDS,
  })
  const rate = metrics.histogram({
    name: 'ingot_stream_items_per_second',
    help: 'Items per second of each stream that ended, over its whole duration.',
    buckets: [1, 10, 100, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000],
  })
  const sizes = createItemSizes(metrics)
  return {
    ...traffic,
    received: (contents) => sizes.add(contents),
    items(path, results) {
      for (const [result, amount] of tally(results, (one) => one.kind)) items.add({ path, result }, amount)
      const found = tally(results, (one) => (one.kind === 'duplicate' ? one.foundBy : undefined))
      for (const [by, amount] of found) duplicates.add({ found_by: by }, amount)
    },
    streamAnswered: (seconds) => firstResult.observe(seconds),
    streamEnded(figures) {
      if (figures.items > 0 && figures.seconds > 0) rate.observe(figures.items / figures.seconds)
    },
    replayed: () => replays.add(),
  }
}

function createTraffic(metrics: Metrics): Pick<HttpMetrics, 'route' | 'began' | 'ended'> {
  const requests = metrics.counter({
    name: 'ingot_http_requests_total',
    help: 'Requests answered. Health checks and scrapes have the kind probe.',
    labels: ['route', 'method', 'status', 'kind'],
  })
  const seconds = metrics.histogram({
    name: 'ingot_http_request_seconds',
    help: 'Time from the head of a request to the end of its response, by kind and by class of status (2xx).',
    labels: ['kind', 'status'],
    buckets: SECONDS,
    series: REQUEST_KINDS.flatMap((kind) => CLASSES.map((status) => ({ kind, status }))),
  })
  const open = new Map(REQUEST_KINDS.map((kind) => [kind, 0]))
  const change = (kind: RequestKind, by: 1 | -1): void => void open.set(kind, (open.get(kind) ?? 0) + by)
  metrics.gaugesOf({ name: 'ingot_http_in_flight', help: 'Requests in progress.', labels: ['kind'] }, () =>
    Array.from(open, ([kind, value]) => ({ labels: { kind }, value })),
  )
  return {
    route(labels) {
      const { route, method, kind } = labels
      for (const status of statusesOf(labels)) requests.add({ route, method, status, kind }, 0)
    },
    began: (kind) => change(kind, 1),
    ended({ kind, route, method, status, seconds: took, sampledTrace }) {
      change(kind, -1)
      requests.add({ route, method, status, kind })
      seconds.observe(took, { kind, status: `${Math.floor(status / 100)}xx` }, sampledTrace)
    },
  }
}

const FAILURES = [400, 401, 403, 408, 409, 413, 415, 422, 429, 499, 500, 501, 503] as const

/** Returns the statuses that are exported as 0: all that requests for items get, and those that an alert counts. */
function statusesOf({ kind, method }: RouteLabels): readonly number[] {
  if (kind === 'probe') return [200, 503]
  if (kind === 'other') return [method === 'PUT' ? 201 : 200, 429, 500, 503]
  return kind === 'single' ? [200, 201, ...FAILURES] : [200, ...FAILURES]
}

function tally(results: readonly Counted[], key: (result: Counted) => string | undefined): Map<string, number> {
  const counts = new Map<string, number>()
  for (const result of results) {
    const name = key(result)
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}
