/** A line between a client and a server that a test can cut, silence one way, or make slow. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** From now on nothing that the server says arrives; what the client says does. */
  swallowReplies(): void
  /** Lets replies through again, on connections made from now on. */
  restore(): void
  /** Breaks every connection. */
  cut(): void
}

export interface ProxyOptions {
  /** Delay of each piece of data, each way, in milliseconds; order is kept. Default: none. */
  readonly delayMs?: () => number
}

/** Forwards to a port of this machine. */
export async function startTcpProxy(target: number, { delayMs }: ProxyOptions = {}): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let swallowing = false

  function forward(from: Socket, to: Socket, swallowed: () => boolean): void {
    let due = 0
    from.on('data', (data) => {
      if (swallowed()) return
      const now = performance.now()
      due = Math.max(due, now + (delayMs?.() ?? 0))
      if (delayMs === undefined) to.write(data)
      else setTimeout(() => to.write(data), due - now)
    })
  }

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
    const pair = [client, upstream] as const
    const silent = swallowing
    pairs.add(pair)
    const end = (): void => {
      pairs.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of pair) socket.on('close', end).on('error', end)
    let muted = silent
    const isMuted = (): boolean => (muted ||= swallowing)
    forward(client, upstream, () => false)
    forward(upstream, client, isMuted)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const [client] of pairs) client.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    swallowReplies: () => void (swallowing = true),
    restore: () => void (swallowing = false),
    cut,
    async [Symbol.asyncDispose]() {
      cut()
      server.close()
    },
  }
}
