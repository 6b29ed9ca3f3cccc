/** Metrics of the HTTP service. */
import type { FoundBy } from '../items/item.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** A result of an item, or an entry of a receipt. */
type Counted = { readonly kind: 'created' | 'refused' } | { readonly kind: 'duplicate'; readonly foundBy: FoundBy }

export interface HttpMetrics {
  request(route: string, method: string, status: number, seconds: number): void
  /** `path`: the kind of request that brought the items. */
  items(path: 'single' | 'batch' | 'stream', results: readonly Counted[]): void
  replayed(): void
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function createHttpMetrics(metrics: Metrics): HttpMetrics {
  const labels = ['route', 'method', 'status']
  const requests = metrics.counter({ name: 'ingot_http_requests_total', help: 'Requests answered', labels })
  const seconds = metrics.histogram({
    name: 'ingot_http_request_seconds',
    help: 'Time from the head of a request to the end of its response',
    labels: ['route', 'method'],
    buckets: SECONDS,
  })
  const items = metrics.counter({
    name: 'ingot_items_total',
    help: 'Items answered, by outcome and by kind of request',
    labels: ['path', 'result'],
  })
  const duplicates = metrics.counter({
    name: 'ingot_duplicates_total',
    help: 'Duplicates, by the part that recognised them',
    labels: ['found_by'],
  })
  const replays = metrics.counter({
    name: 'ingot_idempotent_replays_total',
    help: 'Responses repeated under an Idempotency-Key',
  })
  return {
    request(route, method, status, took) {
      requests.add({ route, method, status })
      seconds.observe(took, { route, method })
    },
    items(path, results) {
      for (const [result, amount] of tally(results, (one) => one.kind)) items.add({ path, result }, amount)
      const found = tally(results, (one) => (one.kind === 'duplicate' ? one.foundBy : undefined))
      for (const [by, amount] of found) duplicates.add({ found_by: by }, amount)
    },
    replayed: () => replays.add(),
  }
}

function tally(results: readonly Counted[], key: (result: Counted) => string | undefined): Map<string, number> {
  const counts = new Map<string, number>()
  for (const result of results) {
    const name = key(result)
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}
