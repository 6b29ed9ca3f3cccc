/** Metrics of the operator's runtime. */
import type { ErrorCode } from '../../errors/error.ts'
import type { Metrics } from '../../telemetry/metrics.ts'

const OUTCOMES = ['done', 'failed'] as const
type Outcome = (typeof OUTCOMES)[number]

export interface RuntimeMeasures {
  /**
   * Registers an informer, with its counters as 0. `staleMs` is the time since it last heard from the API server.
   */
  informer(resource: string, staleMs: () => number): void
  /** Registers a controller, with its series as 0. */
  controller(name: string): void
  /** Counts a list or a watch that ended with a failure. */
  listWatchFailed(resource: string, code: string): void
  relisted(resource: string): void
  reconciled(controller: string, outcome: Outcome, ms: number): void
  /** Keys that wait to be reconciled. */
  depth(controller: string, keys: number): void
  leading(isLeader: boolean): void
  eventDropped(): void
}

/** Counts nothing. */
export const unmeasuredRuntime: RuntimeMeasures = {
  informer: () => {},
  controller: () => {},
  listWatchFailed: () => {},
  relisted: () => {},
  reconciled: () => {},
  depth: () => {},
  leading: () => {},
  eventDropped: () => {},
}

/** Codes of failed lists and watches that are exported before the first one. */
const CODES: readonly ErrorCode[] = [
  'KUBE_UNREACHABLE',
  'KUBE_UNAVAILABLE',
  'KUBE_UNAUTHORIZED',
  'KUBE_FORBIDDEN',
  'KUBE_EXPIRED',
]

const SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Registers the `ingot_operator_*` metrics of the runtime. Throws on a second call with the same registry. */
export function createRuntimeMeasures(metrics: Metrics): RuntimeMeasures {
  const informers = new Map<string, () => number>()
  metrics.gaugesOf(
    {
      name: 'ingot_operator_watch_stale_seconds',
      help: 'Time since the API server last sent a list, an event or a bookmark of the resource.',
      labels: ['resource'],
    },
    () => [...informers].map(([resource, staleMs]) => ({ labels: { resource }, value: staleMs() / 1_000 })),
  )
  const failures = metrics.counter({
    name: 'ingot_operator_list_watch_failures_total',
    help: 'Lists and watches that ended with a failure.',
    labels: ['resource', 'code'],
  })
  const lists = metrics.counter({
    name: 'ingot_operator_lists_total',
    help: 'Complete lists: one at the start, one after each watch that could not go on.',
    labels: ['resource'],
  })
  const reconciles = metrics.histogram({
    name: 'ingot_operator_reconcile_seconds',
    help: 'Time of one reconcile.',
    labels: ['controller', 'outcome'],
    buckets: SECONDS,
  })
  const depth = metrics.gauge({
    name: 'ingot_operator_queue_depth',
    help: 'Keys that wait to be reconciled.',
    labels: ['controller'],
  })
  const leader = metrics.gauge({ name: 'ingot_operator_leader', help: '1 while this process leads, else 0.' })
  const dropped = metrics.counter({
    name: 'ingot_operator_events_dropped_total',
    help: 'Kubernetes Events that could not be written.',
  })
  leader.set(0)
  return {
    informer(resource, staleMs) {
      informers.set(resource, staleMs)
      lists.add({ resource }, 0)
      for (const code of CODES) failures.add({ resource, code }, 0)
    },
    controller(name) {
      for (const outcome of OUTCOMES) reconciles.zero({ controller: name, outcome })
      depth.set(0, { controller: name })
    },
    listWatchFailed: (resource, code) => failures.add({ resource, code }),
    relisted: (resource) => lists.add({ resource }),
    reconciled: (controller, outcome, ms) => reconciles.observe(ms / 1_000, { controller, outcome }),
    depth: (controller, keys) => depth.set(keys, { controller }),
    leading: (isLeader) => leader.set(isLeader ? 1 : 0),
    eventDropped: () => dropped.add(),
  }
}
