/**
 * Creates the service's knowledge of committed items outside its store: the memory of this process and the shared
 * cache.
 */

import { IngotError } from '../errors/error.ts'
import type { ItemCache } from '../items/cache/cache.ts'
import { CACHE_TIMEOUT_MS, guardCache } from '../items/cache/guarded-cache.ts'
import { openLateCache } from '../items/cache/late-cache.ts'
import { createCacheMeasures } from '../items/cache/measure.ts'
import { withCache } from '../items/cache/read-through.ts'
import { createCacheWrites } from '../items/cache/write-behind.ts'
import { createLeasedItems, createRecentItems, noRecentItems, type RecentItems } from '../items/freshness/recent-ids.ts'
import { createVersionLeases } from '../items/freshness/version-lease.ts'
import { isVersioned, type ServiceStore, type StoreWriter } from '../items/store.ts'
import { createBreaker } from '../std/breaker.ts'
import { durationOf } from '../std/duration.ts'
import type { ServiceDeps } from './deps.ts'

export interface ServiceCache {
  readonly recent: RecentItems
  /** The target of commits: the store itself, or the store behind the cache. */
  readonly commits: StoreWriter
}

/**
 * Opens sooner than the breaker of a lock service, because nothing depends on the cache: after failures within a tenth
 * of a second, each of which delayed a batch. A longer window would still contain the successful calls before a server
 * froze.
 */
const BREAKER = { volume: 5, thresholdPercent: 10, windowMs: 1_000, restMs: 2_000 }

/**
 * Returns the cache as far as the store's version can confirm its entries. Rejects with IngotError CONFIG_INVALID,
 * REDIS_*.
 */
export async function openServiceCache(deps: ServiceDeps, store: ServiceStore): Promise<ServiceCache> {
  const { config, clock, log } = deps
  const { enforcesUniqueness, singleWriter } = store.capabilities
  if (config.cacheUrl !== undefined) return openCached(deps, store, config.cacheUrl)
  if (singleWriter) return { recent: createRecentItems(config.recentItems), commits: store }
  // only the store's version reveals deletions by other replicas
  if (!enforcesUniqueness || !isVersioned(store)) return { recent: noRecentItems, commits: store }
  return {
    recent: createLeasedItems(config.recentItems, createVersionLeases({ store, clock, log }), clock),
    commits: store,
  }
}

async function openCached(deps: ServiceDeps, store: ServiceStore, url: string): Promise<ServiceCache> {
  const { config, clock, log, metrics, scope } = deps
  if (store.capabilities.singleWriter || !store.capabilities.enforcesUniqueness || !isVersioned(store)) {
    throw new IngotError(
      'CONFIG_INVALID',
      'INGOT_CACHE_URL is set, but this store cannot use it: a cache is for replicas that share a postgres store',
    )
  }
  const measures = createCacheMeasures(metrics)
  const [cache, timeoutMs] = await openCache(deps, url)
  scope.defer(() => cache[Symbol.asyncDispose]())
  const breaker = createBreaker(BREAKER)
  deps.watch.watchBreaker('cache', breaker)
  scope.defer(() => breaker[Symbol.dispose]())
  const guarded = guardCache({ cache, breaker, clock, measures, log }, timeoutMs)
  const leases = createVersionLeases({ store, clock, log, highWaterMarks: guarded })
  const writes = createCacheWrites({ cache: guarded, leases, clock, measures })
  scope.defer(() => writes[Symbol.dispose]())
  return {
    recent: createLeasedItems(config.recentItems, leases, clock),
    commits: withCache({ store, cache: guarded, leases, writes, measures }),
  }
}

async function openCache({ config, clock, log }: ServiceDeps, url: string): Promise<readonly [ItemCache, number]> {
  const { createRedisCache } = await import('../items/cache/redis/cache.ts')
  const { createRedisConnection } = await import('../redis/deployment.ts')
  const { parseRedisUrl } = await import('../redis/redis-url.ts')
  const topology = parseRedisUrl(url)
  const listeners = { message: () => {}, gap: () => {} }
  const open = async (signal: AbortSignal): Promise<ItemCache> => {
    const settings = { connectionName: 'ingot-cache', tlsPeer: 'cache' as const }
    const connection = createRedisConnection(topology, { log, listeners, purpose: 'cache' }, settings)
    await connection.connect(signal)
    return createRedisCache(connection, { ttlMs: durationOf(config.cacheTtl) })
  }
  return [await openLateCache({ open, clock, log }), topology.timeoutMs ?? CACHE_TIMEOUT_MS]
}
