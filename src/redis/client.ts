/**
 * ioredis clients with the settings that locks need, and the proof that they are in force.
 *
 * ioredis' defaults serve caches: it keeps commands while disconnected and sends them again after a reconnect. For a
 * lock both are wrong, because a command that runs after its sender gave up locks everybody out. Here a command is
 * written to a live connection or fails at once, is never sent twice by the client, and has a deadline. Redirections
 * of Redis Cluster are followed in cluster.ts, which knows that deadline, and not by ioredis.
 */
import { readFile } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { IngotError } from '../errors/error.ts'
import type { ClusterTopology, Credentials, Endpoint, Sentinel, Standalone, TlsFiles } from './redis-url.ts'

export interface ClientSettings {
  /** Deadline of one command in milliseconds; its effect after that is unknown. Default: 500. */
  readonly commandTimeoutMs: number
  /** Deadline of one connection attempt in milliseconds, TLS included. Default: 1000. */
  readonly connectTimeoutMs: number
  /** Shown by CLIENT LIST. Default: ingot. */
  readonly connectionName: string
}

export const DEFAULT_SETTINGS: ClientSettings = {
  // a twentieth of a ten-second lease, the share that redsync's timeoutFactor (0.05) gives a node
  commandTimeoutMs: 500,
  connectTimeoutMs: 1_000,
  connectionName: 'ingot',
}

/** Says whether the first connection stands: before, a failure is final; after, it is tried again for ever. */
export interface Phase {
  started: boolean
}

const MAX_BACKOFF_MS = 1_000

/** Jittered, and never above a second: a lock client that sleeps longer than an outage prolongs it. */
function backoffMs(attempt: number): number {
  return Math.random() * Math.min(MAX_BACKOFF_MS, 50 * 2 ** Math.min(attempt, 10))
}

function safeOptions(settings: ClientSettings) {
  return {
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: settings.commandTimeoutMs,
    connectTimeout: settings.connectTimeoutMs,
    // silence while an answer is due: the peer is stopped or gone, and only a new connection finds its successor
    socketTimeout: 2 * settings.commandTimeoutMs,
    keepAlive: 5_000,
    enableAutoPipelining: false,
    protocol: 3 as const,
    connectionName: settings.connectionName,
    lazyConnect: true,
  } satisfies RedisOptions
}

/** 1 reconnects without sending again: the server was demoted, and the next connection leads to its successor. */
const reconnectOnDemotion = (error: Error): 1 | false => (error.message.startsWith('READONLY') ? 1 : false)

function retryOf(phase: Phase): (attempt: number) => number | null {
  return (attempt) => (phase.started ? backoffMs(attempt) : null)
}

function loginOf({ user, password }: Credentials): { username?: string; password?: string } {
  return { ...(user === undefined ? {} : { username: user }), ...(password === undefined ? {} : { password }) }
}

async function pem(path: string, name: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new IngotError('CONFIG_INVALID', `Redis URL: cannot read the "${name}" file "${path}"`, { cause })
  }
}

/** Reads the files. Rejects with `CONFIG_INVALID` that names the one it cannot read. */
async function tlsOptions(files: TlsFiles): Promise<ConnectionOptions> {
  const read = async (name: 'ca' | 'cert' | 'key'): Promise<ConnectionOptions> => {
    const path = files[name]
    return path === undefined ? {} : { [name]: await pem(path, name) }
  }
  const parts = await Promise.all([read('ca'), read('cert'), read('key')])
  const named: ConnectionOptions = files.servername === undefined ? {} : { servername: files.servername }
  return parts.reduce((all, part) => ({ ...all, ...part }), named)
}

async function tlsPart(files: TlsFiles | undefined): Promise<{ tls?: ConnectionOptions }> {
  return files === undefined ? {} : { tls: await tlsOptions(files) }
}

/** Throws when ioredis runs with anything else than what was asked of it, say after an upgrade that renamed a setting. */
function verifyOptions(actual: object, wanted: object): void {
  const real = new Map<string, unknown>(Object.entries(actual))
  const wrong = Object.entries(wanted).filter(([name, value]) => typeof value !== 'object' && real.get(name) !== value)
  if (wrong.length === 0) return
  throw new IngotError('INTERNAL', `ioredis ignores its settings ${wrong.map(([name]) => `"${name}"`).join(', ')}`)
}

function single(options: RedisOptions): Redis {
  const client = new Redis({ ...options, replyMapping: 'legacy' })
  verifyOptions(client.options, options)
  return client
}

/** What a client of one server needs to know. */
export type Single = Pick<Standalone, 'endpoint' | 'database' | 'credentials' | 'tls'>

/** A client of one server, not connected yet. */
export async function createSingleClient(target: Single, settings: ClientSettings, phase: Phase): Promise<Redis> {
  const options = {
    ...safeOptions(settings),
    ...target.endpoint,
    ...loginOf(target.credentials),
    ...(await tlsPart(target.tls)),
    db: target.database,
    retryStrategy: retryOf(phase),
    reconnectOnError: reconnectOnDemotion,
  } satisfies RedisOptions
  return single(options)
}

/** A client of whichever server the Sentinels call master, not connected yet. */
export async function createSentinelClient(target: Sentinel, settings: ClientSettings, phase: Phase): Promise<Redis> {
  const { tls } = await tlsPart(target.tls)
  const { user, password } = target.sentinelCredentials
  const options = {
    ...safeOptions(settings),
    sentinels: [...target.sentinels],
    name: target.masterName,
    role: 'master',
    ...loginOf(target.credentials),
    ...(user === undefined ? {} : { sentinelUsername: user }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
    ...(tls === undefined ? {} : { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
    db: target.database,
    // sentinel-watch.ts does its work
    failoverDetector: false,
    sentinelCommandTimeout: settings.commandTimeoutMs,
    // null would end the client for good, which is right only while it starts
    sentinelRetryStrategy: retryOf(phase),
    retryStrategy: retryOf(phase),
    reconnectOnError: reconnectOnDemotion,
  } satisfies RedisOptions
  return single(options)
}

/** One for each Sentinel that announces something would do; more than that survive the loss of two. */
const MAX_WATCHED = 5

/** Clients of the Sentinels themselves, for what they announce; not connected yet. They try again for ever. */
export async function createAnnouncers(target: Sentinel, settings: ClientSettings): Promise<readonly Redis[]> {
  const common = {
    ...safeOptions(settings),
    ...loginOf(target.sentinelCredentials),
    ...(await tlsPart(target.tls)),
    // INFO, which its user may not ask for
    enableReadyCheck: false,
    retryStrategy: backoffMs,
  } satisfies RedisOptions
  return target.sentinels.slice(0, MAX_WATCHED).map((sentinel) => single({ ...common, ...sentinel }))
}

function clusterOptions(settings: ClientSettings, phase: Phase): ClusterOptions {
  return {
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    enableReadyCheck: true,
    scaleReads: 'master',
    // ioredis does not know our deadlines: it redirects nothing and repeats nothing
    maxRedirections: 0,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: 0,
    retryDelayOnMoved: 0,
    slotsRefreshTimeout: settings.commandTimeoutMs,
    slotsRefreshInterval: 1_000,
    shardedSubscribers: false,
    lazyConnect: true,
    clusterRetryStrategy: retryOf(phase),
    clusterNodeRetryStrategy: backoffMs,
  }
}

/** A client of a whole cluster, not connected yet. */
export async function createClusterClient(
  target: ClusterTopology,
  settings: ClientSettings,
  phase: Phase,
): Promise<Cluster> {
  const options = clusterOptions(settings, phase)
  const { tls } = await tlsPart(target.tls)
  // the nodes' own queue cannot be switched off; cluster.ts writes to connections that stand, so it stays empty
  const { enableOfflineQueue: _, ...nodeOptions } = safeOptions(settings)
  const client = new Cluster([...target.seeds], {
    ...options,
    redisOptions: { ...nodeOptions, ...loginOf(target.credentials), ...(tls === undefined ? {} : { tls }) },
    // the names in the certificates are those of the addresses: do not turn them into numbers
    ...(tls === undefined ? {} : { dnsLookup: (address, done) => done(null, address) }),
  })
  verifyOptions(client.options, options)
  return client
}

/** `host:port`, as Redis Cluster names its nodes. */
export function nodeName({ host, port }: Endpoint): string {
  return `${host}:${port}`
}
