/**
 * Limits the time that requests wait for the cache. Every call has a deadline and goes through a breaker. A failed call
 * counts as a cache miss. No call rejects. After a read that timed out, no read is sent for the same time again, so
 * that batches that waited behind the first one do not wait a second time.
 */

import { IngotError, toIngotError } from '../../errors/error.ts'
import { type Breaker, BreakerOpenError } from '../../std/breaker.ts'
import type { Clock } from '../../std/clock.ts'
import type { Log } from '../../telemetry/log.ts'
import type { HighWaterMarks } from '../freshness/version-lease.ts'
import type { VersionStamp } from '../store-version.ts'
import type { CacheKey, Fact, ItemCache } from './cache.ts'
import type { CacheCall, CacheMeasures } from './measure.ts'

/** Default time limit of a call, in milliseconds. It is the longest delay that the cache can cause for a client. */
export const CACHE_TIMEOUT_MS = 100

export interface GuardedCache extends HighWaterMarks {
  /** Resolves to `undefined` if the facts are unknown at present. */
  read(keys: readonly CacheKey[]): Promise<readonly (Fact | undefined)[] | undefined>
  /** Resolves to true if the entries were written. */
  write(entries: readonly (CacheKey & Fact)[]): Promise<boolean>
}

export interface GuardDeps {
  readonly cache: ItemCache
  readonly breaker: Breaker
  readonly clock: Clock
  readonly measures: CacheMeasures
  readonly log: Log
}

export function guardCache(deps: GuardDeps, timeoutMs = CACHE_TIMEOUT_MS): GuardedCache {
  const { cache, breaker, clock, measures, log } = deps
  measures.breaker(breaker.state)
  breaker.onChange((state) => {
    measures.breaker(state)
    log.warn({ state }, 'the breaker of the cache changed')
  })

  async function guarded<T>(name: CacheCall, call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await breaker.guard(
        () => within(clock, timeoutMs, call),
        () => false,
      )
    } catch (thrown) {
      const { code, message } = toIngotError(thrown)
      measures.failed(name, thrown instanceof BreakerOpenError ? 'left-alone' : 'error')
      log.debug({ code, message, call: name }, 'the cache did not respond')
      return undefined
    }
  }

  let askedAgainMs = 0

  async function read(keys: readonly CacheKey[]): Promise<readonly (Fact | undefined)[] | undefined> {
    if (clock.monotonicMs() < askedAgainMs) {
      measures.failed('read', 'left-alone')
      return undefined
    }
    const begunMs = clock.monotonicMs()
    const facts = await guarded('read', () => cache.read(keys))
    const nowMs = clock.monotonicMs()
    if (facts === undefined && nowMs - begunMs >= timeoutMs) askedAgainMs = nowMs + timeoutMs
    return facts
  }

  return {
    read,
    write: async (entries) => (await guarded('write', () => cache.write(entries).then(() => true))) ?? false,
    raise: (now) => guarded<VersionStamp>('note', () => cache.note(now)),
  }
}

function within<T>(clock: Clock, ms: number, call: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.timer(ms, () => {
      reject(new IngotError('REDIS_UNREACHABLE', `the cache did not respond within ${ms} ms`))
    })
    call()
      .then(resolve, reject)
      .finally(() => timer.cancel())
  })
}
