/** From a URL to a backend. A backend is one folder and one line here; its code is loaded when it is first asked for. */
import { systemClock } from '../std/clock.ts'
import { defined } from '../std/defined.ts'
import { IngotError } from '../std/error.ts'
import { silentLog } from '../telemetry/log.ts'
import type { BackendContext, LockBackend, OpenBackend } from './backend.ts'

const redisLock = async (): Promise<OpenBackend> => (await import('./backends/redis/backend.ts')).openRedisLock

const BACKENDS: Readonly<Record<string, () => Promise<OpenBackend>>> = {
  memory: async () => (await import('./backends/memory/backend.ts')).openMemoryBackend,
  redis: redisLock,
  rediss: redisLock,
  'redis+sentinel': redisLock,
  'redis+cluster': redisLock,
  redlock: async () => (await import('./backends/redlock/backend.ts')).openRedlock,
}

const SCHEME = /^([a-z][a-z\d+.-]*):/

/** The URL schemes that `openLockBackend` knows. */
export const LOCK_SCHEMES: readonly string[] = Object.keys(BACKENDS)

/**
 * Connects to the lock service that the URL names, verifies that it can serve, and answers its backend. `context` may be
 * empty: the clock is then the system's, nothing is logged, and without `fences` the backend promises what it can alone.
 *
 * Rejects with `CONFIG_INVALID` for a URL that it cannot read, with `REDIS_UNREACHABLE`, `REDIS_ACCESS_REFUSED`,
 * `REDIS_TLS_FAILED` or `REDIS_UNSUITABLE` for servers, with `FENCE_STORE_UNAVAILABLE`, and with the signal's reason when
 * that aborts first. Errors never show the URL's password.
 */
export async function openLockBackend(
  url: string,
  context: Partial<BackendContext>,
  signal: AbortSignal,
): Promise<LockBackend> {
  const scheme = SCHEME.exec(url)?.[1] ?? ''
  const load = Object.hasOwn(BACKENDS, scheme) ? BACKENDS[scheme] : undefined
  if (load === undefined) {
    const allowed = LOCK_SCHEMES.map((s) => `"${s}:"`).join(', ')
    throw new IngotError('CONFIG_INVALID', `lock URL has the unknown scheme "${scheme}:"; allowed are ${allowed}`)
  }
  const open = await load()
  signal.throwIfAborted()
  return open(url, { clock: systemClock, log: silentLog, ...defined(context) }, signal)
}
