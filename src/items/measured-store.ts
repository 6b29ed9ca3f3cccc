/** Measures the calls of a store, and gives each a span within a recorded trace. */
import type { Clock } from '../std/clock.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { withSpan } from '../telemetry/spans.ts'

export interface StoreMeasures {
  /** Records one call, also a failed one, in milliseconds. */
  called(call: StoreCall, ms: number): void
}

/** The measured methods of stores, and those of external APIs: `find` and `save`. */
export const STORE_CALLS = [
  'put',
  'collection',
  'get',
  'list',
  'check',
  'define',
  'delete',
  'deleteCollection',
  'purge',
  'version',
] as const
export const EXTERNAL_CALLS = ['find', 'save', 'get', 'check'] as const

type StoreCall = (typeof STORE_CALLS)[number] | (typeof EXTERNAL_CALLS)[number]

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** Registers `ingot_store_call_seconds` with these calls. Throws on a second call with the same registry. */
export function createStoreMeasures(metrics: Metrics, calls: readonly StoreCall[]): StoreMeasures {
  const seconds = metrics.histogram({
    name: 'ingot_store_call_seconds',
    help: 'Calls of the store, also failed ones. A put is one batch.',
    labels: ['call'],
    buckets: SECONDS,
    series: calls.map((call) => ({ call })),
  })
  return { called: (call, ms) => seconds.observe(ms / 1_000, { call }) }
}

export interface MeasureDeps {
  readonly measures: StoreMeasures
  readonly clock: Clock
  /** Names the spans of the calls: `ingot.store` becomes `ingot.store.put`. */
  readonly span: 'ingot.store' | 'ingot.forward'
}

type Method = (...args: unknown[]) => unknown

/**
 * Returns the store with its calls measured. Methods that are not measured, and later ones, pass through. A method that the
 * store lacks stays absent.
 */
export function withStoreMeasures<S extends object>(
  store: S,
  calls: readonly StoreCall[],
  { measures, clock, span }: MeasureDeps,
): S {
  const methods = new WeakMap<Method, Method>()
  const measured = (method: Method, call: StoreCall | undefined): Method => {
    // bound to the store itself, because private fields do not exist on the proxy
    if (call === undefined) return (...args) => method.apply(store, args)
    return async (...args) => {
      const beganMs = clock.monotonicMs()
      try {
        return await withSpan(`${span}.${call}`, {}, async () => method.apply(store, args))
      } finally {
        measures.called(call, clock.monotonicMs() - beganMs)
      }
    }
  }
  return new Proxy(store, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (!isMethod(value)) return value
      const known =
        methods.get(value) ??
        measured(
          value,
          calls.find((call) => call === property),
        )
      methods.set(value, known)
      return known
    },
  })
}

function isMethod(value: unknown): value is Method {
  return typeof value === 'function'
}
