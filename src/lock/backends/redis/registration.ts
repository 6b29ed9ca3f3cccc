/** Registers the Redis lock: one server (`redis:`, `rediss:`), Sentinel or Cluster. */
import type { BackendRegistration, OpenBackend } from '../../backend.ts'

async function load(): Promise<OpenBackend> {
  const { createRedisLock } = await import('./backend.ts')
  return async (url, { clock, log, fences }, signal) => {
    const lock =
      fences === undefined ? createRedisLock(url, { clock, log }) : createRedisLock(url, { clock, log, fences })
    await lock.connect(signal)
    return lock
  }
}

export const redisBackend: BackendRegistration = {
  schemes: ['redis', 'rediss', 'redis+sentinel', 'redis+cluster'],
  examples: ['redis://…', 'rediss://…', 'redis+sentinel://…', 'redis+cluster://…'],
  load,
}
