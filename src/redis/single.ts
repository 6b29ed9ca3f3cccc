/** A connection to one Redis server, or to the primary that the Sentinels name. */
import type { Redis } from 'ioredis'
import { systemClock } from '../std/clock.ts'
import {
  type ClientSettings,
  createAnnouncers,
  createSentinelClient,
  createSingleClient,
  type Phase,
} from './client.ts'
import { type ConnectionDeps, checkServer, connectClient, type RedisConnection } from './connection.ts'
import { commandError, Unsent } from './failure.ts'
import { createLink, type Link, type ScriptCall } from './link.ts'
import { describeTopology, type Sentinel, type Standalone } from './redis-url.ts'
import { createSentinelWatch, type SentinelWatch } from './sentinel-watch.ts'

class SingleConnection implements RedisConnection {
  readonly description: string
  readonly clustered = false
  readonly #topology: Standalone | Sentinel
  readonly #settings: ClientSettings
  readonly #deps: ConnectionDeps
  readonly #phase: Phase = { started: false }
  #link: Link | undefined
  #watch: SentinelWatch | undefined
  readonly #fail = (error: unknown): never => {
    throw commandError(this.description, error)
  }

  constructor(topology: Standalone | Sentinel, settings: ClientSettings, deps: ConnectionDeps) {
    this.description = describeTopology(topology)
    this.#topology = topology
    this.#settings = settings
    this.#deps = deps
  }

  async connect(signal: AbortSignal): Promise<void> {
    const client = await this.#create()
    const watch = await this.#createWatch(client)
    // without a listener, ioredis throws errors; `close` and failed commands report those that matter
    client.on('error', (error: Error) => this.#deps.log.debug({ err: error }, 'redis connection error'))
    await connectClient(client, this.description, signal)
    try {
      await checkServer(client, this.#topology, this.#deps)
    } catch (error) {
      client.disconnect()
      throw error
    }
    this.#phase.started = true
    this.#link = createLink(client, this.#deps.listeners, this.#fail)
    client.on('close', () => this.#deps.log.warn({ server: this.description }, 'redis connection lost'))
    client.on('ready', () => this.#deps.log.info({ server: this.description }, 'redis connection is back'))
    this.#watch = watch
    watch?.start()
  }

  #create(): Promise<Redis> {
    const topology = this.#topology
    return topology.kind === 'sentinel'
      ? createSentinelClient(topology, this.#settings, this.#phase)
      : createSingleClient(topology, this.#settings, this.#phase)
  }

  async #createWatch(client: Redis): Promise<SentinelWatch | undefined> {
    if (this.#topology.kind !== 'sentinel') return undefined
    const announcers = await createAnnouncers(this.#topology, this.#settings)
    const { log, listeners } = this.#deps
    const announced = (): void => listeners.announced?.()
    return createSentinelWatch(client, this.#topology.masterName, { announcers, log, clock: systemClock, announced })
  }

  run<T>(call: ScriptCall<T>): Promise<T> {
    return this.#link === undefined ? Promise.reject(this.#closed()) : this.#link.run(call)
  }

  async subscribe(channel: string): Promise<void> {
    try {
      if (this.#link === undefined) throw this.#closed()
      await this.#link.subscribe(channel)
    } catch (error) {
      throw commandError(this.description, error)
    }
  }

  subscribed(channel: string): boolean {
    return this.#link?.subscribed(channel) ?? false
  }

  renew(): void {
    const client = this.#link?.client
    // a client that is connecting resolves the address anyway
    if (client?.status === 'ready') client.disconnect(true)
  }

  together(): true {
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#phase.started = false
    this.#watch?.[Symbol.dispose]()
    this.#link?.client.disconnect()
  }

  #closed(): Unsent {
    return new Unsent(`${this.description}: not connected yet; call connect first`)
  }
}

/** Returns a connection, not connected yet. */
export function createSingleConnection(
  topology: Standalone | Sentinel,
  settings: ClientSettings,
  deps: ConnectionDeps,
): RedisConnection {
  return new SingleConnection(topology, settings, deps)
}
