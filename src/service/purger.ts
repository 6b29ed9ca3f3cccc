/** Starts the purge of deleted collections in the background, with its metrics. */
import { createPurger, type Purger } from '../items/pipeline/purger.ts'
import { removesCollections, type ServiceStore } from '../items/store.ts'
import type { ServiceDeps } from './deps.ts'

/** Returns a purger that ends with the scope. For a store that cannot delete collections, it does nothing. */
export function createServicePurger(
  { clock, log, metrics, scope }: Pick<ServiceDeps, 'clock' | 'log' | 'metrics' | 'scope'>,
  store: ServiceStore,
): Pick<Purger, 'wake'> {
  if (!removesCollections(store)) return { wake: () => {} }
  const removed = metrics.counter({
    name: 'ingot_purged_items_total',
    help: 'Items of deleted collections that this replica removed from the store',
  })
  const purger = createPurger({ store, clock, log, onRemoved: (items) => removed.add({}, items) })
  metrics.gaugeOf(
    { name: 'ingot_open_deletions', help: 'Deleted collections whose items are not all removed from the store' },
    () => purger.open(),
  )
  scope.defer(() => purger[Symbol.asyncDispose]())
  return purger
}
