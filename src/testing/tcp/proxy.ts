/** A line between a client and a server that a test can cut, silence one way, make slow, or take packets from. */
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
  /** Leads connections made from now on to another port. Those that stand keep their server, as behind a virtual address. */
  lead(target: number): void
  /**
   * Lies in wait for the first piece of data from a client that contains the marker. `hold`: it and all that follows on
   * its connection wait until the trap is opened, even when the client has gone. `mute`: it passes, and nothing that the
   * server says on that connection arrives any more.
   */
  trap(marker: Uint8Array, kind: 'hold' | 'mute'): PacketTrap
}

export interface PacketTrap {
  readonly caught: Promise<void>
  /** Sends what was held; a trap that has caught nothing is gone. Returns the bytes that were sent. A second call sends none. */
  open(): number
}

export interface ProxyOptions {
  /** Delay of each piece of data, each way, in milliseconds; order is kept. Default: none. */
  readonly delayMs?: () => number
}

interface Line {
  readonly client: Socket
  readonly upstream: Socket
  muted: boolean
  /** What a trap holds back. */
  held: Buffer[] | undefined
}

interface Waiting {
  readonly marker: Buffer
  take(line: Line): void
}

/** Forwards to a port of this machine. */
export async function startTcpProxy(target: number, { delayMs }: ProxyOptions = {}): Promise<TcpProxy> {
  const lines = new Set<Line>()
  const traps = new Set<Waiting>()
  let swallowing = false
  let port = target

  /** Calls `write` with each piece of data, later if there is a delay. */
  function forward(from: Socket, write: (data: Buffer) => void): void {
    // timers count whole milliseconds and may ring out of turn: each sends what waits longest
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

  function toServer(line: Line, data: Buffer): void {
    for (const waiting of traps) {
      if (!data.includes(waiting.marker)) continue
      traps.delete(waiting)
      waiting.take(line)
      break
    }
    if (line.held === undefined) line.upstream.write(data)
    else line.held.push(data)
  }

  function end(line: Line): void {
    line.client.destroy()
    // what is held is still to be delivered
    if (line.held !== undefined && !line.upstream.destroyed) return
    lines.delete(line)
    line.upstream.destroy()
  }

  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true })
    const line: Line = { client, upstream, muted: swallowing, held: undefined }
    lines.add(line)
    for (const socket of [client, upstream]) socket.on('close', () => end(line)).on('error', () => end(line))
    forward(client, (data) => toServer(line, data))
    forward(upstream, (data) => {
      line.muted ||= swallowing
      if (!line.muted) client.write(data)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const line of lines) line.client.destroy()
  }

  function trap(marker: Uint8Array, kind: 'hold' | 'mute'): PacketTrap {
    const { promise: caught, resolve } = Promise.withResolvers<void>()
    let prey: Line | undefined
    const waiting: Waiting = {
      marker: Buffer.from(marker),
      take(line) {
        prey = line
        if (kind === 'hold') line.held = []
        else line.muted = true
        resolve()
      },
    }
    traps.add(waiting)
    return {
      caught,
      open() {
        traps.delete(waiting)
        const bytes = deliver(prey)
        if (prey?.client.destroyed === true) prey.upstream.end()
        return bytes
      },
    }
  }

  return {
    port: (server.address() as AddressInfo).port,
    swallowReplies: () => void (swallowing = true),
    restore: () => void (swallowing = false),
    cut,
    lead: (next) => void (port = next),
    trap,
    async [Symbol.asyncDispose]() {
      for (const line of lines) {
        line.held = undefined
        end(line)
      }
      server.close()
    },
  }
}

function deliver(line: Line | undefined): number {
  if (line?.held === undefined) return 0
  const data = Buffer.concat(line.held)
  line.held = undefined
  line.upstream.write(data)
  return data.length
}
