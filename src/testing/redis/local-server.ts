/** One Redis server: a process of this machine if it has the programs, otherwise a container. */
import { untilTrue } from '../../std/until.ts'
import type { Absent } from '../present.ts'
import { freePorts } from '../tcp/ports.ts'
import { findRedisPrograms, startProcesses } from './processes.ts'
import { type RedisServers, startStandalone } from './servers.ts'

const PROGRAM = 'redis-server'

/** Starts the server. It keeps no data over a restart. */
export async function startLocalServer(): Promise<RedisServers | Absent> {
  if ('absent' in (await findRedisPrograms(PROGRAM))) return startStandalone()
  const [port = 0] = await freePorts(1)
  const servers = await startProcesses(PROGRAM, [{ port, kind: 'server', config: ['daemonize no'] }])
  await untilTrue('an answer to PING', async () => (await servers.cli(port, 'ping').catch(() => '')) === 'PONG', {
    withinMs: 30_000,
  })
  return { ...servers, url: `redis://127.0.0.1:${port}`, ports: [port], master: async () => port }
}
