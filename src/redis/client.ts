/**
 * Creates ioredis clients with the settings that locks need, and verifies that they are in force.
 *
 * The defaults of ioredis suit caches: it queues commands while it is disconnected and sends them again after a reconnect.
 * For locks both are wrong: a command that runs after its sender gave up takes a lock that no client holds. Here a command
 * is written to a live connection or fails at once, the client never sends it twice, and it has a deadline. cluster.ts
 * follows the redirections of Redis Cluster instead of ioredis, because it knows that deadline.
 */
import { readFile } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { IngotError } from '../errors/error.ts'
import { peerCertificates, type TlsPeer } from '../std/peer-certificates.ts'
import type {
  ClusterTopology,
  Credentials,
  Endpoint,
  Sentinel,
  Standalone,
  TlsFiles,
  TlsMaterial,
} from './redis-url.ts'

export interface ClientSettings {
  /** Deadline of one command in milliseconds; after that its effect is unknown. Default: 500. */
  readonly commandTimeoutMs: number
  /** Deadline of one connection attempt in milliseconds, TLS included. Default: 1000. */
  readonly connectTimeoutMs: number
  /** Name in CLIENT LIST. Default: ingot. */
  readonly connectionName: string
  /** The servers in the metric of certificates. Default: redis. */
  readonly tlsPeer?: TlsPeer
}

export const DEFAULT_SETTINGS: ClientSettings = {
  // a twentieth of a ten-second lease, like the timeoutFactor (0.05) of redsync
  commandTimeoutMs: 500,
  connectTimeoutMs: 1_000,
  connectionName: 'ingot',
}

/** `started` is true once the first connection is established. Before, an error is final; after, clients retry for ever. */
export interface Phase {
  started: boolean
}

const MAX_BACKOFF_MS = 1_000

/** Delays are jittered and at most a second: a lock client that sleeps longer than an outage prolongs it. */
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
    // no data while a reply is due: the peer is stopped or gone, and only a new connection finds its successor
    socketTimeout: 2 * settings.commandTimeoutMs,
    keepAlive: 5_000,
    enableAutoPipelining: false,
    protocol: 3 as const,
    connectionName: settings.connectionName,
    lazyConnect: true,
  } satisfies RedisOptions
}

/** 1: reconnect without a resend. The server was demoted, and the next connection reaches its successor. */
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

/** Reads the files. Rejects with `CONFIG_INVALID`, which names the unreadable file. */
async function tlsOptions(files: TlsFiles): Promise<ConnectionOptions> {
  const read = async (name: 'ca' | 'cert' | 'key'): Promise<ConnectionOptions> => {
    const path = files[name]
    return path === undefined ? {} : { [name]: await pem(path, name) }
  }
  const parts = await Promise.all([read('ca'), read('cert'), read('key')])
  const named: ConnectionOptions = files.servername === undefined ? {} : { servername: files.servername }
  return parts.reduce((all, part) => ({ ...all, ...part }), named)
}

async function tlsPart(
  tls: TlsFiles | TlsMaterial | undefined,
  peer: TlsPeer = 'redis',
): Promise<{ tls?: ConnectionOptions }> {
  if (tls === undefined) return {}
  const watch = peerCertificates.watch(peer)
  if ('caPem' in tls) return { tls: { ca: tls.caPem, servername: tls.servername, ...watch } }
  return { tls: { ...(await tlsOptions(tls)), ...watch } }
}

/** Throws if ioredis does not use the wanted settings, for example after an upgrade that renamed one. */
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

/** The part of a topology that a client of one server needs. */
export interface Single extends Pick<Standalone, 'endpoint' | 'database' | 'credentials'> {
  /** Absent: no TLS. */
  readonly tls?: TlsFiles | TlsMaterial
}

/** Returns a client of one server, not connected yet. Rejects with `CONFIG_INVALID` if a certificate file is unreadable. */
export async function createSingleClient(target: Single, settings: ClientSettings, phase: Phase): Promise<Redis> {
  const options = {
    ...safeOptions(settings),
    ...target.endpoint,
    ...loginOf(target.credentials),
    ...(await tlsPart(target.tls, settings.tlsPeer)),
    db: target.database,
    retryStrategy: retryOf(phase),
    reconnectOnError: reconnectOnDemotion,
  } satisfies RedisOptions
  return single(options)
}

/** Returns a client of the primary that the Sentinels name, not connected yet. Rejects with `CONFIG_INVALID`. */
export async function createSentinelClient(target: Sentinel, settings: ClientSettings, phase: Phase): Promise<Redis> {
  const { tls } = await tlsPart(target.tls, settings.tlsPeer)
  const sentinelTLS = (await tlsPart(target.tls, 'sentinel')).tls
  const { user, password } = target.sentinelCredentials
  const options = {
    ...safeOptions(settings),
    sentinels: [...target.sentinels],
    name: target.masterName,
    role: 'master',
    ...loginOf(target.credentials),
    ...(user === undefined ? {} : { sentinelUsername: user }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
    ...(tls === undefined ? {} : { tls, sentinelTLS, enableTLSForSentinelMode: true }),
    db: target.database,
    // sentinel-watch.ts replaces it
    failoverDetector: false,
    sentinelCommandTimeout: settings.commandTimeoutMs,
    // null ends the client for ever, which is right only at the start
    sentinelRetryStrategy: retryOf(phase),
    retryStrategy: retryOf(phase),
    reconnectOnError: reconnectOnDemotion,
  } satisfies RedisOptions
  return single(options)
}

/** Number of Sentinels to subscribe to. One would be enough; five tolerate the loss of several. */
const MAX_WATCHED = 5

/** Returns clients of the Sentinels, for their announcements, not connected yet. They reconnect for ever. */
export async function createAnnouncers(target: Sentinel, settings: ClientSettings): Promise<readonly Redis[]> {
  const common = {
    ...safeOptions(settings),
    ...loginOf(target.sentinelCredentials),
    ...(await tlsPart(target.tls, 'sentinel')),
    // INFO, for which its user may have no permission
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
    // ioredis does not know our deadlines, so it must neither redirect nor retry
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

/** Returns a client of a cluster, not connected yet. Rejects with `CONFIG_INVALID`. */
export async function createClusterClient(
  target: ClusterTopology,
  settings: ClientSettings,
  phase: Phase,
): Promise<Cluster> {
  const options = clusterOptions(settings, phase)
  const { tls } = await tlsPart(target.tls, settings.tlsPeer)
  // the queues of the nodes cannot be disabled; they stay empty, because cluster.ts only writes to live connections
  const { enableOfflineQueue: _, ...nodeOptions } = safeOptions(settings)
  const client = new Cluster([...target.seeds], {
    ...options,
    redisOptions: { ...nodeOptions, ...loginOf(target.credentials), ...(tls === undefined ? {} : { tls }) },
    // certificates contain host names, so they must not be resolved to addresses
    ...(tls === undefined ? {} : { dnsLookup: (address, done) => done(null, address) }),
  })
  verifyOptions(client.options, options)
  return client
}

/** Returns `host:port`, the name of a node in Redis Cluster. */
export function nodeName({ host, port }: Endpoint): string {
  return `${host}:${port}`
}
