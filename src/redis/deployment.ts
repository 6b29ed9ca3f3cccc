/** Chooses the connection that fits a topology. */

import { IngotError } from '../errors/error.ts'
import { defined } from '../std/defined.ts'
import { type ClientSettings, DEFAULT_SETTINGS } from './client.ts'
import { createClusterConnection } from './cluster.ts'
import type { ConnectionDeps, RedisConnection } from './connection.ts'
import type { RedisTopology } from './redis-url.ts'
import { createSingleConnection } from './single.ts'

/**
 * Returns a connection that sends nothing before `connect`. Omitted settings are those of `DEFAULT_SETTINGS`. Throws
 * `CONFIG_INVALID` for `redlock://`, because independent servers have no common connection.
 */
export function createRedisConnection(
  topology: RedisTopology,
  deps: ConnectionDeps,
  given: Partial<ClientSettings> = {},
): RedisConnection {
  const timeout = topology.timeoutMs === undefined ? {} : { commandTimeoutMs: topology.timeoutMs }
  const settings = { ...DEFAULT_SETTINGS, ...timeout, ...defined(given) }
  switch (topology.kind) {
    case 'standalone':
    case 'sentinel':
      return createSingleConnection(topology, settings, deps)
    case 'cluster':
      return createClusterConnection(topology, settings, deps)
    case 'independent':
      throw new IngotError('CONFIG_INVALID', 'redlock:// names independent servers, which have no common connection')
    default:
      return topology satisfies never
  }
}
