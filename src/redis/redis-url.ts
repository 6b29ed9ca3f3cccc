/**
 * Parses Redis URLs. A URL has the kind of the deployment, the addresses, the credentials and the TLS settings. An invalid
 * URL throws `CONFIG_INVALID`, which names the invalid part and never shows the password.
 *
 *   redis://[user[:password]@]host[:6379][/database]               one server
 *   rediss://…                                                     the same with TLS
 *   redis+sentinel://[user[:password]@]host[:26379],…/master-name  the primary that the Sentinels name
 *   redis+cluster://[user[:password]@]host[:6379],…                Redis Cluster, found through any of its nodes
 *   redlock://[user[:password]@]host[:6379],…                      independent servers, at least three
 *
 * Query parameters of all URLs: `tls=true` (implied by the files below and by rediss:); `ca`, `cert`, `key` (paths of PEM
 * files); `servername` (name in the certificate, if it differs from the address); `timeout` (of one command, "500ms";
 * default in client.ts). For Sentinel: `db`, `sentinel-user`, `sentinel-password`. For redlock: `max-lease` (longest lease
 * of any client, "10s"). User names and passwords are percent-encoded.
 */

import { IngotError } from '../errors/error.ts'
import { parseDurationMs } from '../std/duration.ts'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export interface Credentials {
  readonly user?: string
  readonly password?: string
}

/** Paths of PEM files. They are read at each `connect`, so a renewed certificate needs no new URL. */
export interface TlsFiles {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
}

/** Certificates as text, for a client that does not read them from files. */
export interface TlsMaterial {
  /** PEM. */
  readonly caPem: string
  readonly servername: string
}

interface Common {
  readonly credentials: Credentials
  /** Absent: no TLS. */
  readonly tls?: TlsFiles
  /** Deadline of one command, in milliseconds. */
  readonly timeoutMs?: number
}

export interface Standalone extends Common {
  readonly kind: 'standalone'
  readonly endpoint: Endpoint
  readonly database: number
}

export interface Sentinel extends Common {
  readonly kind: 'sentinel'
  readonly sentinels: readonly Endpoint[]
  readonly masterName: string
  readonly database: number
  readonly sentinelCredentials: Credentials
}

export interface ClusterTopology extends Common {
  readonly kind: 'cluster'
  readonly seeds: readonly Endpoint[]
}

export interface Independent extends Common {
  readonly kind: 'independent'
  readonly nodes: readonly Endpoint[]
  /** The longest lease of any client, in milliseconds. */
  readonly maxLeaseMs?: number
}

export type RedisTopology = Standalone | Sentinel | ClusterTopology | Independent

type Scheme = 'redis' | 'rediss' | 'redis+sentinel' | 'redis+cluster' | 'redlock'

const PORT: Readonly<Record<Scheme, number>> = {
  redis: 6379,
  rediss: 6379,
  'redis+sentinel': 26379,
  'redis+cluster': 6379,
  redlock: 6379,
}
const COMMON_QUERY = ['tls', 'ca', 'cert', 'key', 'servername', 'timeout']
const OWN_QUERY: Partial<Readonly<Record<Scheme, readonly string[]>>> = {
  'redis+sentinel': ['db', 'sentinel-user', 'sentinel-password'],
  redlock: ['max-lease'],
}
const FORM = /^([a-z+]+):\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/
const ADDRESS = /^(?:\[([\da-f:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/i

function invalid(problem: string): IngotError {
  return new IngotError('CONFIG_INVALID', `Redis URL: ${problem}`)
}

function isScheme(text: string): text is Scheme {
  return Object.hasOwn(PORT, text)
}

function decode(part: string, what: string): string {
  try {
    return decodeURIComponent(part)
  } catch (cause) {
    throw new IngotError('CONFIG_INVALID', `Redis URL: the ${what} is not percent-encoded`, { cause })
  }
}

function credentialsOf(userInfo: string | undefined): Credentials {
  if (userInfo === undefined) return {}
  const colon = userInfo.indexOf(':')
  const user = decode(colon < 0 ? userInfo : userInfo.slice(0, colon), 'user')
  const password = colon < 0 ? '' : decode(userInfo.slice(colon + 1), 'password')
  return namedCredentials(user, password)
}

function namedCredentials(user: string, password: string): Credentials {
  return { ...(user === '' ? {} : { user }), ...(password === '' ? {} : { password }) }
}

function endpointOf(address: string, defaultPort: number): Endpoint {
  const match = ADDRESS.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3] ?? defaultPort)
  if (host === undefined || port < 1 || port > 65_535) {
    throw invalid(`"${address}" is no address; write host or host:port, an IPv6 address in brackets`)
  }
  return { host, port }
}

function file(query: URLSearchParams, name: keyof TlsFiles): TlsFiles {
  const value = query.get(name)
  return value === null ? {} : { [name]: value }
}

function tlsOf(query: URLSearchParams, scheme: Scheme): TlsFiles | undefined {
  const wanted = query.get('tls')
  if (wanted !== null && wanted !== 'true' && wanted !== 'false') throw invalid('"tls" is true or false')
  const files = { ...file(query, 'ca'), ...file(query, 'cert'), ...file(query, 'key'), ...file(query, 'servername') }
  const given = Object.keys(files).length > 0
  if (query.has('cert') !== query.has('key')) throw invalid('"cert" and "key" belong together')
  if (wanted === 'false' && (given || scheme === 'rediss')) throw invalid('"tls=false" contradicts the rest')
  if (wanted !== 'true' && !given && scheme !== 'rediss') return undefined
  return files
}

function durationOf(query: URLSearchParams, name: string, example: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const ms = parseDurationMs(text)
  if (ms === undefined || ms < 1) throw invalid(`"${name}" is a duration such as ${example}, not "${text}"`)
  return ms
}

function databaseOf(text: string | null | undefined): number {
  if (text === undefined || text === null || text === '') return 0
  if (!/^\d{1,4}$/.test(text)) throw invalid(`"${text}" is no database number`)
  return Number(text)
}

function checkQuery(query: URLSearchParams, scheme: Scheme): void {
  const allowed = [...COMMON_QUERY, ...(OWN_QUERY[scheme] ?? [])]
  const unknown = [...query.keys()].filter((name) => !allowed.includes(name))
  if (unknown.length > 0) throw invalid(`unknown option "${unknown.join('", "')}"; allowed are ${allowed.join(', ')}`)
}

interface Parts {
  readonly scheme: Scheme
  readonly endpoints: readonly Endpoint[]
  readonly path: string
  readonly query: URLSearchParams
  readonly common: Common
}

function split(url: string): Parts {
  const [, scheme = '', userInfo, addresses = '', path = '', search = ''] = FORM.exec(url) ?? []
  if (!isScheme(scheme)) {
    throw invalid(`expected ${Object.keys(PORT).join('://, ')}:// with an address, and percent-encoded credentials`)
  }
  const query = new URLSearchParams(search)
  checkQuery(query, scheme)
  const tls = tlsOf(query, scheme)
  const timeoutMs = durationOf(query, 'timeout', '500ms')
  return {
    scheme,
    endpoints: addresses.split(',').map((address) => endpointOf(address, PORT[scheme])),
    path,
    query,
    common: {
      credentials: credentialsOf(userInfo),
      ...(tls === undefined ? {} : { tls }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    },
  }
}

function standalone({ endpoints, path, common }: Parts): Standalone {
  const [endpoint, second] = endpoints
  if (endpoint === undefined || second !== undefined) {
    throw invalid('redis:// names one server; several are redis+sentinel://, redis+cluster:// or redlock://')
  }
  return { kind: 'standalone', endpoint, database: databaseOf(path), ...common }
}

function sentinel({ endpoints, path, query, common }: Parts): Sentinel {
  if (path === '') throw invalid('redis+sentinel:// needs the name of the master: …/mymaster')
  const sentinelCredentials = namedCredentials(query.get('sentinel-user') ?? '', query.get('sentinel-password') ?? '')
  const database = databaseOf(query.get('db'))
  return {
    kind: 'sentinel',
    sentinels: endpoints,
    masterName: decode(path, 'name'),
    database,
    sentinelCredentials,
    ...common,
  }
}

function cluster({ endpoints, path, common }: Parts): ClusterTopology {
  if (path !== '') throw invalid('Redis Cluster has no databases: leave the path out')
  return { kind: 'cluster', seeds: endpoints, ...common }
}

function independent({ endpoints, path, query, common }: Parts): Independent {
  if (path !== '') throw invalid('redlock:// takes no path')
  if (endpoints.length < 3)
    throw invalid('redlock:// needs at least three servers: with fewer, the loss of one is the loss of the majority')
  if (new Set(endpoints.map((e) => `${e.host}:${e.port}`)).size < endpoints.length) {
    throw invalid('redlock:// names a server twice: its vote would count twice')
  }
  const maxLeaseMs = durationOf(query, 'max-lease', '10s')
  return { kind: 'independent', nodes: endpoints, ...(maxLeaseMs === undefined ? {} : { maxLeaseMs }), ...common }
}

/** Returns the topology of a URL. Throws `CONFIG_INVALID`, which names the invalid part. */
export function parseRedisUrl(url: string): RedisTopology {
  const parts = split(url)
  switch (parts.scheme) {
    case 'redis':
    case 'rediss':
      return standalone(parts)
    case 'redis+sentinel':
      return sentinel(parts)
    case 'redis+cluster':
      return cluster(parts)
    case 'redlock':
      return independent(parts)
    default:
      return parts.scheme satisfies never
  }
}

function list(endpoints: readonly Endpoint[]): string {
  return endpoints.map((e) => `${e.host}:${e.port}`).join(',')
}

/** Returns a description of the servers for messages, without credentials. */
export function describeTopology(topology: RedisTopology): string {
  switch (topology.kind) {
    case 'standalone':
      return `Redis at ${list([topology.endpoint])}`
    case 'sentinel':
      return `Redis primary "${topology.masterName}" of the Sentinels ${list(topology.sentinels)}`
    case 'cluster':
      return `Redis Cluster at ${list(topology.seeds)}`
    case 'independent':
      return `independent Redis servers ${list(topology.nodes)}`
    default:
      return topology satisfies never
  }
}
