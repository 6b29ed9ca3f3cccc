/** A proxy between clients and a server. A test can cut connections, drop replies, add delay, and hold packets. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** Drops all data of the server from now on. Data of the clients still arrives. */
  swallowReplies(): void
  /** Forwards replies again, on new connections only. */
  restore(): void
  /** Closes every connection. */
  cut(): void
  /** Forwards new connections to another port. Established ones keep their server, as behind a virtual address. */
  redirect(target: number): void
  /**
   * Catches the first packet of a client that contains the marker. `hold`: the packet and all later data of its connection
   * wait until `release`, even if the client has ended. `mute`: the packet passes, and all later data of the server on that
   * connection is dropped.
   */
  catchPacket(marker: Uint8Array, kind: 'hold' | 'mute'): PacketHold
}

export interface PacketHold {
  readonly caught: Promise<void>
  /** Sends the held data, or stops waiting for a packet. Returns the number of bytes sent; 0 for a second call. */
  release(): number
}

export interface ProxyOptions {
  /** Delay of each packet in each direction, in milliseconds. The order is kept. Default: none. */
  readonly delayMs?: () => number
}

interface ProxyLink {
  readonly client: Socket
  readonly upstream: Socket
  muted: boolean
  /** Data that is held. */
  held: Buffer[] | undefined
}

interface Expected {
  readonly marker: Buffer
  take(link: ProxyLink): void
}

/** Starts a proxy that forwards to a port of this machine. */
export async function startTcpProxy(target: number, { delayMs }: ProxyOptions = {}): Promise<TcpProxy> {
  const links = new Set<ProxyLink>()
  const expected = new Set<Expected>()
  let swallowing = false
  let port = target

  /** Calls `write` with each packet, after the delay. */
  function forward(from: Socket, write: (data: Buffer) => void): void {
    // timers have a resolution of a millisecond and may fire out of order, so each sends the oldest packet
    const waiting: Buffer[] = []
    let due = 0
    from.on('data', (data: Buffer) => {
      const now = performance.now()
      due = Math.max(due, now + (delayMs?.() ?? 0))
      if (delayMs === undefined) write(data)
      else {
        waiting.push(data)
        setTimeout(() => write(waiting.shift() ?? Buffer.alloc(0)), due - now)
      }
    })
  }

  function toServer(link: ProxyLink, data: Buffer): void {
    for (const waiting of expected) {
      if (!data.includes(waiting.marker)) continue
      expected.delete(waiting)
      waiting.take(link)
      break
    }
    if (link.held === undefined) link.upstream.write(data)
    else link.held.push(data)
  }

  function end(link: ProxyLink): void {
    link.client.destroy()
    // held data must still be delivered
    if (link.held !== undefined && !link.upstream.destroyed) return
    links.delete(link)
    link.upstream.destroy()
  }

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true })
    const link: ProxyLink = { client, upstream, muted: swallowing, held: undefined }
    links.add(link)
    for (const socket of [client, upstream]) socket.on('close', () => end(link)).on('error', () => end(link))
    forward(client, (data) => toServer(link, data))
    forward(upstream, (data) => {
      link.muted ||= swallowing
      if (!link.muted) client.write(data)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const link of links) link.client.destroy()
  }

  function catchPacket(marker: Uint8Array, kind: 'hold' | 'mute'): PacketHold {
    const { promise: caught, resolve } = Promise.withResolvers<void>()
    let caughtLink: ProxyLink | undefined
    const waiting: Expected = {
      marker: Buffer.from(marker),
      take(link) {
        caughtLink = link
        if (kind === 'hold') link.held = []
        else link.muted = true
        resolve()
      },
    }
    expected.add(waiting)
    return {
      caught,
      release() {
        expected.delete(waiting)
        const bytes = deliver(caughtLink)
        if (caughtLink?.client.destroyed === true) caughtLink.upstream.end()
        return bytes
      },
    }
  }

  return {
    port: (server.address() as AddressInfo).port,
    swallowReplies: () => void (swallowing = true),
    restore: () => void (swallowing = false),
    cut,
    redirect: (next) => void (port = next),
    catchPacket,
    async [Symbol.asyncDispose]() {
      for (const link of links) {
        link.held = undefined
        end(link)
      }
      server.close()
    },
  }
}

function deliver(link: ProxyLink | undefined): number {
  if (link?.held === undefined) return 0
  const data = Buffer.concat(link.held)
  link.held = undefined
  link.upstream.write(data)
  return data.length
}
