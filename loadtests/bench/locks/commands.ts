/** How many commands a server was sent, by INFO commandstats. */
import type { RedisServers } from '../../../src/testing/redis/servers.ts'
import { LIBRARIES, type Name } from './contenders.ts'

export interface Commands {
  /** Sent by clients: scripts count once, whatever they do inside. */
  readonly sent: number
  /** Executed, those inside scripts included. */
  readonly executed: number
}

const OVERHEAD = new Set(['config|resetstat', 'info', 'hello', 'client|setinfo', 'client|setname', 'ping'])

export async function resetCommands(servers: RedisServers): Promise<void> {
  for (const port of servers.ports) await servers.cli(port, 'config', 'resetstat')
}

export async function countCommands(servers: RedisServers, name: Name): Promise<Commands> {
  const plain: readonly string[] = ['eval', 'evalsha', ...LIBRARIES[name].plain]
  let [sent, executed] = [0, 0]
  for (const port of servers.ports) {
    const stats = await servers.cli(port, 'info', 'commandstats')
    for (const [, command = '', calls] of stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)) {
      if (OVERHEAD.has(command)) continue
      executed += Number(calls)
      if (plain.includes(command)) sent += Number(calls)
    }
  }
  return { sent, executed }
}
