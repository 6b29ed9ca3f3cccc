/** Finds free ports below the range that the system uses for outgoing connections. */
import { once } from 'node:events'
import { createServer } from 'node:net'

const FIRST = 20_000
const COUNT = 10_000
/** Linux takes the ports of outgoing connections from here on (net.ipv4.ip_local_port_range). */
const ABOVE = 32_768

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    const listening = once(server, 'listening')
    server.listen(port, '127.0.0.1')
    await listening
    return true
  } catch {
    return false // in use: the caller tries another one
  } finally {
    server.close()
  }
}

/**
 * Resolves with different ports that are free at this moment. `offsets` names further ports that a server opens, counted
 * from its own, such as the bus of a cluster: they are free too, and below the range of outgoing connections.
 */
export async function freePorts(count: number, offsets: readonly number[] = []): Promise<readonly number[]> {
  const ports = new Set<number>()
  const range = Math.min(COUNT, ABOVE - FIRST - Math.max(0, ...offsets))
  while (ports.size < count) {
    const port = FIRST + Math.floor(Math.random() * range)
    const all = [port, ...offsets.map((offset) => port + offset)]
    const free = await Promise.all(all.map(isFree))
    if (!ports.has(port) && free.every(Boolean)) ports.add(port)
  }
  return [...ports]
}
