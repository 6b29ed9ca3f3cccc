/** What the cache counts. */
import type { BreakerState } from '../../std/breaker.ts'
import type { Metrics } from '../../telemetry/metrics.ts'

export type CacheCall = 'read' | 'write' | 'note'

/** `overflow`: more waited than may. `unconfirmed`: the store's past was not, or no longer, the one of the commit. */
export type DropReason = 'overflow' | 'unconfirmed' | 'failed'

export interface CacheMeasures {
  /** Of one look-up: ids that were believed, ids that were not there, ids that were there and not believed. */
  looked(hits: number, misses: number, disbelieved: number): void
  failed(call: CacheCall, why: 'error' | 'left-alone'): void
  wrote(entries: number): void
  dropped(reason: DropReason, entries: number): void
  breaker(state: BreakerState): void
}

const BREAKER_STATES = ['closed', 'half-open', 'open'] as const

/** Registers the `ingot_cache_*` metrics. Once per registry: a second call on the same one throws. */
export function createCacheMeasures(metrics: Metrics): CacheMeasures {
  const lookups = metrics.counter({
    name: 'ingot_cache_lookups_total',
    help: 'Ids that the shared cache was asked for; disbelieved: its entry was of another past of the store.',
    labels: ['result'],
  })
  const errors = metrics.counter({
    name: 'ingot_cache_errors_total',
    help: 'Calls of the cache that failed (error), or were not made while it is left alone (left-alone).',
    labels: ['call', 'why'],
  })
  const written = metrics.counter({ name: 'ingot_cache_written_total', help: 'Entries written to the cache.' })
  const drops = metrics.counter({
    name: 'ingot_cache_dropped_total',
    help: 'Entries that were not written to the cache.',
    labels: ['reason'],
  })
  const breakers = metrics.gauge({
    name: 'ingot_cache_breaker_state',
    help: '1 for the state that the circuit breaker of the cache is in.',
    labels: ['state'],
  })
  return {
    looked(hits, misses, disbelieved) {
      lookups.add({ result: 'hit' }, hits)
      lookups.add({ result: 'miss' }, misses)
      lookups.add({ result: 'disbelieved' }, disbelieved)
    },
    failed: (call, why) => errors.add({ call, why }),
    wrote: (entries) => written.add({}, entries),
    dropped: (reason, entries) => drops.add({ reason }, entries),
    breaker(now) {
      for (const state of BREAKER_STATES) breakers.set(state === now ? 1 : 0, { state })
    },
  }
}
