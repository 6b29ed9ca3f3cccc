/** Creates the service's locks from its configuration: backend, fences, metrics and breaker in one locker. */

import { IngotError } from '../errors/error.ts'
import type { LockBackend } from '../lock/backend.ts'
import { withBreaker, withTelemetry } from '../lock/engine/decorate.ts'
import type { FenceStore } from '../lock/fencing/fence-store.ts'
import { openFenceStore } from '../lock/fencing/registry.ts'
import { createLocker, type Locker } from '../lock/locker.ts'
import { createLockMeasures, type LockMeasures } from '../lock/measure.ts'
import { openLockBackend } from '../lock/registry.ts'
import { createBreaker } from '../std/breaker.ts'
import { defined } from '../std/defined.ts'
import { durationOf } from '../std/duration.ts'
import type { ServiceDeps } from './deps.ts'

/** Deadline for one attempt to reach a lock service at the start, in milliseconds. */
const OPEN_MS = 10_000
/**
 * How long a service that ends retries releases that had no response, in milliseconds. This covers a failover of Redis,
 * which often coincides with a rollout. Without it the other replicas would wait for those leases to expire.
 */
const CLOSE_MS = 3_000

export interface ServiceLocker extends Pick<LockMeasures, 'staleWrite'> {
  readonly locker: Locker
}

/**
 * Connects to the lock service, so the service does not start without one. Rejects with IngotError CONFIG_INVALID,
 * LOCK_*, REDIS_*, FENCE_*.
 */
export async function openServiceLocker(deps: ServiceDeps): Promise<ServiceLocker> {
  const { config, clock, metrics, scope } = deps
  if (config.lockUrl === undefined) {
    throw new IngotError(
      'CONFIG_INVALID',
      'INGOT_LOCK_URL is missing: this store, or INGOT_LOCK_MODE=always, needs a lock service',
    )
  }
  const opened = await openBackend(deps, config.lockUrl)
  const measures = createLockMeasures(metrics, { backend: opened.name, stores: ['http'] })
  const backend = withTelemetry(opened, measures, clock)
  const breaker = createBreaker()
  deps.watch.watchBreaker('locks', breaker)
  const guarded = withBreaker(backend, breaker, measures)
  scope.defer(() => guarded[Symbol.asyncDispose]())
  const locker = createLocker(guarded, { clock, measures, ttlMs: durationOf(config.lockTtl), closeMs: CLOSE_MS })
  deps.watch.watchLocker(locker)
  return { locker, staleWrite: (store) => measures.staleWrite(store) }
}

async function openBackend(deps: ServiceDeps, url: string): Promise<LockBackend> {
  const { clock, log, open, config } = deps
  const fences = await openFences(deps)
  const context = defined({ clock, log, fences, directUrl: config.lockDirectUrl })
  return open({
    what: 'lock service',
    attemptMs: OPEN_MS,
    late: 'LOCK_BACKEND_UNAVAILABLE',
    attempt: (signal) => openLockBackend(url, context, signal),
  })
}

async function openFences({ config, scope, open }: ServiceDeps): Promise<FenceStore | undefined> {
  const url = config.lockFences
  if (url === undefined) return undefined
  const fences = await open({
    what: 'fence store',
    attemptMs: OPEN_MS,
    late: 'FENCE_STORE_UNAVAILABLE',
    attempt: (signal) => openFenceStore(url, signal),
  })
  scope.defer(() => fences[Symbol.asyncDispose]())
  return fences
}
