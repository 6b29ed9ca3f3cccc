/** Finds the backend that a URL names. To add a backend, import its registration and add it to `BACKENDS`. */

import { IngotError } from '../errors/error.ts'
import { systemClock } from '../std/clock.ts'
import { defined } from '../std/defined.ts'
import { formOf, schemeOf, type UrlForm } from '../std/url-form.ts'
import { silentLog } from '../telemetry/log.ts'
import type { BackendContext, BackendRegistration, LockBackend } from './backend.ts'
import { etcdBackend } from './backends/etcd/registration.ts'
import { kubernetesBackend } from './backends/kubernetes/registration.ts'
import { memoryBackend } from './backends/memory/registration.ts'
import { mysqlBackend } from './backends/mysql/registration.ts'
import { postgresBackend } from './backends/postgres/registration.ts'
import { redisBackend } from './backends/redis/registration.ts'
import { redlockBackend } from './backends/redlock/registration.ts'
import { zookeeperBackend } from './backends/zookeeper/registration.ts'

const BACKENDS: readonly BackendRegistration[] = [
  memoryBackend,
  redisBackend,
  redlockBackend,
  postgresBackend,
  mysqlBackend,
  etcdBackend,
  zookeeperBackend,
  kubernetesBackend,
]

/** The URLs of all backends. */
export const LOCK_URLS: readonly UrlForm[] = BACKENDS

/** The URL schemes that `openLockBackend` knows, without the colon. */
export const LOCK_SCHEMES: readonly string[] = BACKENDS.flatMap(({ schemes }) => schemes)

/** The URLs of the backends whose locks all processes see. */
export const SHARED_LOCK_URLS: readonly UrlForm[] = BACKENDS.filter(({ oneProcess }) => oneProcess !== true)

/**
 * Connects to the lock service that the URL names, verifies that it can serve, and resolves with its backend.
 *
 * `context` may be empty. The clock is then the system's, nothing is logged, and the backend has no fence store: its
 * fences promise only what the lock service alone can promise.
 *
 * Rejects with `CONFIG_INVALID` for a URL that it cannot parse; with `REDIS_UNREACHABLE`, `REDIS_ACCESS_REFUSED`,
 * `REDIS_TLS_FAILED` or `REDIS_UNSUITABLE` for the Redis servers; with `LOCK_BACKEND_UNAVAILABLE`,
 * `LOCK_ACCESS_REFUSED`, `LOCK_TLS_FAILED` or `LOCK_UNSUITABLE` for the other services; with `FENCE_STORE_UNAVAILABLE`;
 * and with the signal's reason if the signal aborts first. Errors never contain the URL's password.
 */
export async function openLockBackend(
  url: string,
  context: Partial<BackendContext>,
  signal: AbortSignal,
): Promise<LockBackend> {
  const registration = formOf(url, BACKENDS)
  if (registration === undefined) {
    const allowed = LOCK_SCHEMES.map((s) => `"${s}:"`).join(', ')
    throw new IngotError(
      'CONFIG_INVALID',
      `lock URL has the unknown scheme "${schemeOf(url)}:"; allowed are ${allowed}`,
    )
  }
  const open = await registration.load()
  signal.throwIfAborted()
  return open(url, { clock: systemClock, log: silentLog, ...defined(context) }, signal)
}
