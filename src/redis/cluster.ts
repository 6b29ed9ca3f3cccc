/**
 * Connects to Redis Cluster. ioredis keeps the slot map and the connections. This file routes the commands, because it
 * knows their deadlines: ioredis would go on redirecting and retrying a command after its sender gave up.
 *
 * A command goes to the owner of its slot if that connection is live. MOVED and ASK are followed at most
 * `MAX_REDIRECTIONS` times, and only while the caller waits. Any other error fails at once and refreshes the slot map.
 */
import type { Cluster, Redis } from 'ioredis'
import { IngotError } from '../errors/error.ts'
import { type ClientSettings, createClusterClient, nodeName, type Phase } from './client.ts'
import { bySignal, type ConnectionDeps, checkServer, type RedisConnection } from './connection.ts'
import { commandError, connectionError, Unsent } from './failure.ts'
import { createLink, type Link, type ScriptCall } from './link.ts'
import { type ClusterTopology, describeTopology } from './redis-url.ts'
import { slotOf } from './slot.ts'

const MAX_REDIRECTIONS = 4
const REDIRECTION = /^(MOVED|ASK) \d+ (\S+)$/

interface Redirection {
  readonly asking: boolean
  readonly to: string
}

function redirectionOf(error: unknown): Redirection | undefined {
  const match = error instanceof Error ? REDIRECTION.exec(error.message) : null
  const to = match?.[2]
  return to === undefined ? undefined : { asking: match?.[1] === 'ASK', to }
}

const NOT_CONNECTED = 'there is no connection to the node'

/** Resolves at the next `ready`. Rejects if `close` comes first. */
function nextConnection(client: Redis): Promise<void> {
  return new Promise((resolve, reject) => {
    const ready = (): void => {
      client.off('close', close)
      resolve()
    }
    const close = (): void => {
      client.off('ready', ready)
      reject(new IngotError('REDIS_UNREACHABLE', NOT_CONNECTED))
    }
    client.once('ready', ready)
    client.once('close', close)
  })
}

/** All callers that wait for the same connection share one promise, so the client has a fixed number of listeners. */
const connecting = new WeakMap<Redis, Promise<void>>()

/** Resolves when the connection is established. Rejects with `REDIS_UNREACHABLE` if it ends or its connect time-out expires. */
async function untilReady(client: Redis): Promise<void> {
  if (client.status === 'ready') return
  if (client.status === 'wait') client.connect().catch(() => undefined) // `close` below reports it
  if (client.status !== 'connecting' && client.status !== 'connect')
    throw new IngotError('REDIS_UNREACHABLE', NOT_CONNECTED)
  const forget = (): void => void connecting.delete(client)
  const pending = connecting.get(client) ?? nextConnection(client).finally(forget)
  connecting.set(client, pending)
  await pending
}

class ClusterConnection implements RedisConnection {
  readonly description: string
  readonly clustered = true
  readonly #topology: ClusterTopology
  readonly #settings: ClientSettings
  readonly #deps: ConnectionDeps
  readonly #phase: Phase = { started: false }
  readonly #links = new Map<Redis, Link>()
  #cluster: Cluster | undefined

  constructor(topology: ClusterTopology, settings: ClientSettings, deps: ConnectionDeps) {
    this.description = describeTopology(topology)
    this.#topology = topology
    this.#settings = settings
    this.#deps = deps
  }

  async connect(signal: AbortSignal): Promise<void> {
    const cluster = await createClusterClient(this.#topology, this.#settings, this.#phase)
    const errors: unknown[] = []
    cluster.on('error', (error: Error) => this.#note(errors, error))
    cluster.on('node error', (error: Error) => this.#note(errors, error))
    cluster.on('-node', (client: Redis) => this.#links.delete(client))
    try {
      await bySignal(
        () => cluster.connect(),
        signal,
        () => cluster.disconnect(),
      )
      await Promise.all(cluster.nodes('master').map((client) => this.#admit(client)))
    } catch (error) {
      cluster.disconnect()
      if (signal.aborted) throw signal.reason
      throw connectionError(this.description, error instanceof IngotError ? [error] : [...errors, error])
    }
    this.#phase.started = true
    this.#cluster = cluster
  }

  #note(errors: unknown[], error: Error): void {
    if (!this.#phase.started) errors.push(error)
    this.#deps.log.debug({ err: error }, 'redis connection error')
  }

  async #admit(client: Redis): Promise<void> {
    await untilReady(client)
    await checkServer(client, this.#topology, this.#deps)
  }

  async run<T>(call: ScriptCall<T>): Promise<T> {
    try {
      return await this.#follow(call)
    } catch (error) {
      this.#refresh()
      throw commandError(this.description, error)
    }
  }

  async #follow<T>(call: ScriptCall<T>): Promise<T> {
    let link = this.#linkOf(this.#owner(call.key))
    let asking = false
    for (let hops = 0; ; hops++) {
      try {
        await untilReady(link.client)
        return await link.run(call, asking)
      } catch (error) {
        const redirection = redirectionOf(error)
        if (redirection === undefined || hops === MAX_REDIRECTIONS) throw error
        link = this.#linkOf(await this.#named(redirection.to))
        asking = redirection.asking
        if (!asking) this.#refresh()
      }
    }
  }

  async subscribe(channel: string): Promise<void> {
    try {
      const link = this.#linkOf(this.#owner(channel))
      await untilReady(link.client)
      await link.subscribe(channel)
    } catch (error) {
      this.#refresh()
      throw commandError(this.description, error)
    }
  }

  subscribed(channel: string): boolean {
    const name = this.#cluster?.slots[slotOf(channel)]?.[0]
    const client = name === undefined ? undefined : this.#find(name)
    return client !== undefined && (this.#links.get(client)?.subscribed(channel) ?? false)
  }

  renew(key: string): void {
    const client = this.#ownerOf(key)
    if (client?.status === 'ready') client.disconnect(true)
    this.#refresh()
  }

  together(key: string, other: string): boolean {
    const slots = this.#cluster?.slots
    const name = slots?.[slotOf(key)]?.[0]
    return name !== undefined && name === slots?.[slotOf(other)]?.[0]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#phase.started = false
    this.#cluster?.disconnect()
  }

  #open(): Cluster {
    if (this.#cluster === undefined) throw new Unsent(`${this.description}: not connected yet; call connect first`)
    return this.#cluster
  }

  #ownerOf(key: string): Redis | undefined {
    const name = this.#open().slots[slotOf(key)]?.[0]
    return name === undefined ? undefined : this.#find(name)
  }

  #owner(key: string): Redis {
    const client = this.#ownerOf(key)
    if (client === undefined) throw new IngotError('REDIS_UNREACHABLE', 'no known node owns the slot')
    return client
  }

  #find(name: string): Redis | undefined {
    return this.#cluster?.nodes().find(({ options: { host = '', port = 0 } }) => name === nodeName({ host, port }))
  }

  /** Returns the node of a redirection. Refreshes the slot map if the node is not in it. */
  async #named(name: string): Promise<Redis> {
    const known = this.#find(name)
    if (known !== undefined) return known
    await new Promise<void>((resolve) => this.#open().refreshSlotsCache(() => resolve()))
    const client = this.#find(name)
    if (client === undefined)
      throw new IngotError('REDIS_UNREACHABLE', `the cluster redirects to ${name}, which it does not list`)
    return client
  }

  #refresh(): void {
    if (this.#cluster?.status === 'ready') this.#cluster.refreshSlotsCache()
  }

  #linkOf(client: Redis): Link {
    const link = this.#links.get(client) ?? createLink(client, this.#deps.listeners)
    this.#links.set(client, link)
    return link
  }
}

/** Returns a connection to the cluster, not connected yet. */
export function createClusterConnection(
  topology: ClusterTopology,
  settings: ClientSettings,
  deps: ConnectionDeps,
): RedisConnection {
  return new ClusterConnection(topology, settings, deps)
}
