import { systemClock } from '../../../std/clock.ts'
import { startPeer } from '../../../testing/locks/processes.ts'
import type { Absent } from '../../../testing/present.ts'
import { type RedisServers, startCluster, startSentinel, startStandalone } from '../../../testing/redis/servers.ts'
import { lockContract, type Subject } from '../../contract.ts'
import { createRedisLock } from './backend.ts'

async function subject(start: () => Promise<RedisServers | Absent>): Promise<Subject | Absent> {
  const servers = await start()
  if ('absent' in servers) return servers
  const backend = createRedisLock(servers.url, { clock: systemClock })
  await backend.connect(AbortSignal.timeout(10_000))
  return {
    backend,
    startPeer: () => startPeer(servers.url),
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]()
      await servers[Symbol.asyncDispose]()
    },
  }
}

lockContract('redis, standalone', () => subject(startStandalone))
lockContract('redis, Sentinel', () => subject(startSentinel))
lockContract('redis, Cluster', () => subject(startCluster))
