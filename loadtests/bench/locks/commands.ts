/** Counts the commands that a server received, from INFO commandstats. */
import type { RedisServers } from '../../../src/testing/redis/servers.ts'
import { LIBRARIES, type Name } from './contenders.ts'

export interface Commands {
  /** Commands of clients. A script counts once. */
  readonly sent: number
  /** Executed commands, including those inside scripts. */
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
