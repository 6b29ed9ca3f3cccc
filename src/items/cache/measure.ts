/** Metrics of the cache. */
import type { BreakerState } from '../../std/breaker.ts'
import type { Metrics } from '../../telemetry/metrics.ts'

export type CacheCall = 'read' | 'write' | 'note'

/**
 * `overflow`: too many entries waited. `unconfirmed`: the store was not confirmed to have the version of the commit.
 * `failed`: the write failed.
 */
export type DropReason = 'overflow' | 'unconfirmed' | 'failed'

export interface CacheMeasures {
  /** Records one lookup: ids found and valid, ids not found, ids found but not valid. */
  lookedUp(hits: number, misses: number, disbelieved: number): void
  failed(call: CacheCall, why: 'error' | 'left-alone'): void
  wrote(entries: number): void
  dropped(reason: DropReason, entries: number): void
  breaker(state: BreakerState): void
}

const BREAKER_STATES = ['closed', 'half-open', 'open'] as const

/** Registers the `ingot_cache_*` metrics. Throws on a second call with the same registry. */
export function createCacheMeasures(metrics: Metrics): CacheMeasures {
  const lookups = metrics.counter({
    name: 'ingot_cache_lookups_total',
    help: 'Ids looked up in the shared cache; disbelieved: the entry belongs to another version of the store.',
    labels: ['result'],
    series: ['hit', 'miss', 'disbelieved'].map((result) => ({ result })),
  })
  const errors = metrics.counter({
    name: 'ingot_cache_errors_total',
    help: 'Calls of the cache that failed (error), or that were skipped during an outage (left-alone).',
    labels: ['call', 'why'],
    series: ['read', 'write', 'note'].flatMap((call) => ['error', 'left-alone'].map((why) => ({ call, why }))),
  })
  const written = metrics.counter({ name: 'ingot_cache_written_total', help: 'Entries written to the cache.' })
  const drops = metrics.counter({
    name: 'ingot_cache_dropped_total',
    help: 'Entries that were not written to the cache.',
    labels: ['reason'],
    series: ['overflow', 'unconfirmed', 'failed'].map((reason) => ({ reason })),
  })
  const breakers = metrics.gauge({
    name: 'ingot_cache_breaker_state',
    help: '1 for the state that the circuit breaker of the cache is in.',
    labels: ['state'],
    series: BREAKER_STATES.map((state) => ({ state })),
  })
  return {
    lookedUp(hits, misses, disbelieved) {
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
