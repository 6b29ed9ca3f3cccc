/** A TCP load balancer in front of several replicas: round robin, skipping replicas that refuse the connection. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Balancer extends AsyncDisposable {
  readonly url: string
}

/** Starts a balancer. It calls `ports` at each connection, so a replica may come back on another port. */
export async function startBalancer(port: number, ports: () => readonly number[]): Promise<Balancer> {
  const open = new Set<Socket>()
  let turn = 0

  /** Tries each replica once, starting with the next in turn. */
  function join(client: Socket, candidates: readonly number[]): void {
    const [first, ...rest] = candidates
    if (first === undefined) return void client.destroy()
    const upstream = connect({ port: first, host: '127.0.0.1', noDelay: true })
    upstream.once('error', () => join(client, rest))
    upstream.once('connect', () => {
      upstream.removeAllListeners('error')
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        from.on('error', () => to.destroy())
        from.pipe(to)
      }
    })
  }

  const server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    open.add(client)
    client.once('close', () => open.delete(client))
    client.on('error', () => client.destroy())
    const all = ports()
    const start = turn++ % Math.max(1, all.length)
    join(client, [...all.slice(start), ...all.slice(0, start)])
    client.resume()
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  // the address of a TCP server has this type
  const { port: actual } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${actual}`,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const client of open) client.destroy()
      await once(server, 'close')
    },
  }
}
