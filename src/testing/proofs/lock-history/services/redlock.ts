/** Five independent Redis servers, and faults on one, two and three of them. */
import { parseInfo } from '../../../../redis/topology/info.ts'
import type { Scope } from '../../../../std/scope.ts'
import { untilTrue } from '../../../../std/until.ts'
import { needed } from '../../../present.ts'
import { DURABLE, type RedisServers, startIndependent } from '../../../redis/servers.ts'
import { fencesUrlOf } from './fences.ts'
import { independentFaults, type Members } from './members.ts'
import type { RedisChoice } from './sentinel.ts'
import type { StartedService } from './service.ts'

const COUNT = 5
const HEALTHY_MS = 60_000
const EVERY_MS = 250
const TTL_MS = 3_000

/**
 * Starts the servers. A vote is on the disk before its response, so a restart loses none. The container ends by itself after
 * `lifeSeconds`.
 */
export async function startRedlockService(
  { fences }: RedisChoice,
  lifeSeconds: number,
  scope: Scope,
): Promise<StartedService> {
  const servers = await needed(scope, 'Redis', startIndependent(COUNT, DURABLE, { lifeSeconds }))
  const info = parseInfo(await servers.cli(servers.ports[0] ?? 0, 'info', 'server'))
  return {
    version: `redlock-${info.get('redis_version') ?? 'unknown'}`,
    isProbed: false,
    open: async (context) => ({
      lockUrl: servers.url,
      fencesUrl: await fencesUrlOf(fences, context),
      ttlMs: TTL_MS,
      faults: independentFaults(membersOf(servers), 'PING\r\n'),
      healthy: (signal) => untilAllRespond(servers, signal),
    }),
  }
}

function membersOf(servers: RedisServers): Members {
  const { ports } = servers
  const portOf = (member: number): number => ports[member] ?? 0
  return {
    ports,
    signal: (member, name) => servers.signal(portOf(member), name),
    restart: (member) => servers.restart(portOf(member)),
  }
}

async function untilAllRespond(servers: RedisServers, signal: AbortSignal): Promise<void> {
  const respond = async (): Promise<boolean> => {
    const replies = await Promise.all(servers.ports.map((port) => servers.cli(port, 'ping')))
    return replies.every((reply) => reply === 'PONG')
  }
  await untilTrue('a response of all servers', respond, { withinMs: HEALTHY_MS, everyMs: EVERY_MS, signal })
}
