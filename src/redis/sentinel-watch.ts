/**
 * Subscribes to the Sentinels' announcements of new primaries, and reconnects a client that is still connected to the old
 * one. Without this, a planned failover goes unnoticed for eight seconds or more, because it closes no connection: for
 * that time Sentinel does not demote the old primary (redis#6062), and the successor does not know the locks that it grants.
 *
 * The watch closes neither a connection to the announced primary nor one that is not established, because a client that
 * reconnects queries the Sentinels anyway. A Sentinel may still name the old primary then, so the watch compares every
 * connection of the next `RECENT_MS` with the announcement too. ioredis has its own detector, but that one closes any
 * connection, and its clients write errors to stderr.
 */
import { lookup } from 'node:dns/promises'
import type { Redis } from 'ioredis'
import type { Clock, Timer } from '../std/clock.ts'
import type { Log } from '../telemetry/log.ts'
import type { Endpoint } from './redis-url.ts'

const CHANNEL = '+switch-master'
/** Sentinels inform each other within 2 s, and demote an old primary that responds after 8 s. */
const RECENT_MS = 10_000
/** Delay after a refused subscription, in milliseconds: a wrong ACL must not cause a flood. */
const REFUSED_MS = 5_000

export interface WatchDeps {
  /** Clients of the Sentinels, not connected yet. The watch owns and closes them. */
  readonly announcers: readonly Redis[]
  readonly log: Log
  readonly clock: Clock
  /** Called at each announcement of a primary, before a connection is closed because of it. */
  readonly announced?: () => void
}

/** Disposing closes the clients of the Sentinels, but not `client`. */
export interface SentinelWatch extends Disposable {
  /** Starts the watch; may be called once. Returns at once. Retries unavailable Sentinels for ever. */
  start(): void
}

/** Parses a message of Sentinel: name, old host, old port, new host, new port. */
function announcedIn(message: string, masterName: string): Endpoint | undefined {
  const [name, , , host, port] = message.split(' ')
  return name === masterName && host !== undefined ? { host, port: Number(port) } : undefined
}

/** Returns true if the socket is connected to the primary. If in doubt, false: an unnecessary reconnect costs less. */
async function isConnectedTo(socket: Redis['stream'], { host, port }: Endpoint): Promise<boolean> {
  if (socket.remotePort !== port) return false
  const addresses = await lookup(host, { all: true }).catch(() => [])
  return addresses.some(({ address }) => address === socket.remoteAddress)
}

/** Returns a watch of `client`, which connects to the primary that Sentinel knows by this name. */
export function createSentinelWatch(
  client: Redis,
  masterName: string,
  { announcers, log, clock, announced: notify }: WatchDeps,
): SentinelWatch {
  let announced: Endpoint | undefined
  let untilMs = 0

  const isEstablished = (socket: Redis['stream']): boolean =>
    client.status === 'ready' && client.stream === socket && socket.writable

  async function compare(): Promise<void> {
    const [socket, successor] = [client.stream, announced]
    if (successor === undefined || clock.monotonicMs() > untilMs || !isEstablished(socket)) return
    if (await isConnectedTo(socket, successor)) return
    // if either changed during the lookup, another comparison has been made
    if (successor !== announced || !isEstablished(socket)) return
    log.info(successor, 'another redis primary was announced, reconnecting')
    client.disconnect(true)
  }

  function onAnnouncement(message: string): void {
    const successor = announcedIn(message, masterName)
    if (successor === undefined) return
    announced = successor
    untilMs = clock.monotonicMs() + RECENT_MS
    notify?.()
    void compare()
  }

  function open(announcer: Redis): void {
    let again: Timer | undefined
    const subscribe = (): void => {
      announcer.subscribe(CHANNEL).catch((error: unknown) => {
        // a lost connection reconnects and emits `ready` again
        if (announcer.status !== 'ready') return
        log.warn({ err: error }, 'a sentinel refuses to announce failovers')
        again = clock.timer(REFUSED_MS, subscribe)
      })
    }
    announcer.on('ready', subscribe)
    announcer.on('close', () => again?.cancel())
    announcer.on('message', (_channel: string, message: string) => onAnnouncement(message))
    announcer.on('error', (error: Error) => log.debug({ err: error }, 'sentinel connection error'))
    announcer.connect().catch(() => undefined) // `error` reports it, and the client retries
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
