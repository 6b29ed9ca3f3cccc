/**
 * A cache that may be unavailable when the service starts. Until it has been reached, calls fail at once, as during a
 * later outage. Errors that waiting does not resolve (a wrong password, an unsuitable server) are reported at the
 * start.
 */

import { IngotError, toIngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import { fullJitter, retry } from '../../std/retry.ts'
import type { Log } from '../../telemetry/log.ts'
import type { ItemCache } from './cache.ts'

export interface LateCacheDeps {
  /** Makes one attempt. Leaves nothing running when it fails. */
  readonly open: (signal: AbortSignal) => Promise<ItemCache>
  readonly clock: Clock
  readonly log: Log
  /** Time limit of one attempt, in milliseconds. The start waits for the first attempt. Default: 2000. */
  readonly attemptMs?: number
}

/**
 * Resolves when the cache was reached, or when the attempts continue in the background. Rejects with an IngotError that
 * is not retryable.
 */
export async function openLateCache(deps: LateCacheDeps): Promise<ItemCache> {
  const closing = new AbortController()
  let cache: ItemCache | undefined
  const attempt = async (): Promise<void> => {
    const opened = await openInTime(deps, closing.signal)
    if (closing.signal.aborted) return opened[Symbol.asyncDispose]()
    cache = opened
  }
  const first = await attempt().catch(toIngotError)
  if (first instanceof IngotError && !first.retryable) throw first
  const later = first instanceof IngotError ? keepTrying(deps, attempt, closing.signal) : Promise.resolve()
  const reached = (): ItemCache => {
    if (cache === undefined) throw new IngotError('REDIS_UNREACHABLE', 'the cache has not been reached yet')
    return cache
  }
  return {
    read: async (keys) => reached().read(keys),
    write: async (entries) => reached().write(entries),
    note: async (now) => reached().note(now),
    async [Symbol.asyncDispose]() {
      closing.abort(new IngotError('SHUTTING_DOWN', 'the cache is closed'))
      await later
      await cache?.[Symbol.asyncDispose]()
    },
  }
}

async function openInTime(deps: LateCacheDeps, closing: AbortSignal): Promise<ItemCache> {
  const { clock, attemptMs = 2_000 } = deps
  const late = new AbortController()
  const timer = clock.timer(attemptMs, () => {
    late.abort(new IngotError('REDIS_UNREACHABLE', `the cache did not respond within ${attemptMs} ms`))
  })
  try {
    return await deps.open(AbortSignal.any([late.signal, closing]))
  } finally {
    timer.cancel()
  }
}

/** Retries until an attempt succeeds or the signal aborts. */
async function keepTrying({ clock, log }: LateCacheDeps, attempt: () => Promise<void>, signal: AbortSignal) {
  log.warn({}, 'the cache is unreachable; the service continues without it and keeps trying')
  const delays = fullJitter({ baseMs: 500, maxMs: 5_000 })
  const told = async (): Promise<void> => {
    try {
      await attempt()
    } catch (thrown) {
      log.debug({ code: toIngotError(thrown).code, message: toIngotError(thrown).message }, 'the cache is unreachable')
      throw thrown
    }
  }
  try {
    await retry(told, { delays, clock, signal })
    if (!signal.aborted) log.info({}, 'the cache is reached')
  } catch {
    // the cache was closed
  }
}
