/**
 * Hears from the Sentinels of a new primary, and has a client that still talks to the old one ask them again. Without
 * this a planned failover, which closes no connection, goes unnoticed for eight seconds or more: that long Sentinel lets
 * the old primary go on as one (redis#6062), and its successor knows nothing of what it grants.
 *
 * It never closes a connection to the announced primary, and none that is not established: a client that reconnects
 * asks the Sentinels anyway. One of them may still name the old primary then, so what was announced is compared with
 * every connection of the next `RECENT_MS` too. ioredis has a detector of its own, which closes any connection, and whose
 * clients write their errors to stderr.
 */
import { lookup } from 'node:dns/promises'
import type { Redis } from 'ioredis'
import type { Clock, Timer } from '../std/clock.ts'
import type { Log } from '../telemetry/log.ts'
import type { Endpoint } from './redis-url.ts'

const CHANNEL = '+switch-master'
/** Sentinels tell each other within 2 s, and an old primary that answers is demoted after 8 s. */
const RECENT_MS = 10_000
/** Between attempts to subscribe where it was refused: a wrong ACL must not become a flood. */
const REFUSED_MS = 5_000

export interface WatchDeps {
  /** Clients of the Sentinels, not connected yet. The watch owns them. */
  readonly announcers: readonly Redis[]
  readonly log: Log
  readonly clock: Clock
  /** Called at each announcement of a primary, before a connection is closed for it. */
  readonly announced?: () => void
}

/** Disposing of it closes the Sentinels' clients and leaves `client` alone. */
export interface SentinelWatch extends Disposable {
  /** Once. Returns at once: a Sentinel that is away is tried again for ever. */
  start(): void
}

/** Sentinel's message: name, old host, old port, new host, new port. */
function announcedIn(message: string, masterName: string): Endpoint | undefined {
  const [name, , , host, port] = message.split(' ')
  return name === masterName && host !== undefined ? { host, port: Number(port) } : undefined
}

/** Whether the socket leads there. In doubt it does not: reconnecting in vain costs less than staying in the past. */
async function leadsTo(socket: Redis['stream'], { host, port }: Endpoint): Promise<boolean> {
  if (socket.remotePort !== port) return false
  const addresses = await lookup(host, { all: true }).catch(() => [])
  return addresses.some(({ address }) => address === socket.remoteAddress)
}

/** Watches over `client`, which follows the primary that Sentinel knows by this name. */
export function createSentinelWatch(
  client: Redis,
  masterName: string,
  { announcers, log, clock, announced: tell }: WatchDeps,
): SentinelWatch {
  let announced: Endpoint | undefined
  let untilMs = 0

  const stands = (socket: Redis['stream']): boolean =>
    client.status === 'ready' && client.stream === socket && socket.writable

  async function compare(): Promise<void> {
    const [socket, successor] = [client.stream, announced]
    if (successor === undefined || clock.monotonicMs() > untilMs || !stands(socket)) return
    if (await leadsTo(socket, successor)) return
    // both may have changed while the name was looked up, and then were compared by themselves
    if (successor !== announced || !stands(socket)) return
    log.info(successor, 'another redis primary was announced, reconnecting')
    client.disconnect(true)
  }

  function hear(message: string): void {
    const successor = announcedIn(message, masterName)
    if (successor === undefined) return
    announced = successor
    untilMs = clock.monotonicMs() + RECENT_MS
    tell?.()
    void compare()
  }

  function open(announcer: Redis): void {
    let again: Timer | undefined
    const subscribe = (): void => {
      announcer.subscribe(CHANNEL).catch((error: unknown) => {
        // a connection that is gone comes back, and is `ready` again
        if (announcer.status !== 'ready') return
        log.warn({ err: error }, 'a sentinel refuses to announce failovers')
        again = clock.timer(REFUSED_MS, subscribe)
      })
    }
    announcer.on('ready', subscribe)
    announcer.on('close', () => again?.cancel())
    announcer.on('message', (_channel: string, message: string) => hear(message))
    announcer.on('error', (error: Error) => log.debug({ err: error }, 'sentinel connection error'))
    announcer.connect().catch(() => undefined) // was an `error`, and is tried again
  }

  return {
    start() {
      client.on('ready', () => void compare())
      announcers.forEach(open)
    },
    [Symbol.dispose]() {
      for (const announcer of announcers) announcer.disconnect()
    },
  }
}
