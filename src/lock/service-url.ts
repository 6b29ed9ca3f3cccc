/** Parses the URLs of lock services with several servers: `etcd://user:password@a:2379,b,c?ca=/ca.pem`. */
import { readFileSync } from 'node:fs'
import { IngotError, reasonOf } from '../errors/error.ts'

export interface ServiceAddress {
  readonly host: string
  readonly port: number
}

export interface ServiceUrl {
  readonly servers: readonly ServiceAddress[]
  /** Percent-decoded. Absent without credentials. */
  readonly user?: string
  readonly password?: string
  /** Without the slash at its beginning. */
  readonly path: string
  readonly parameters: ReadonlyMap<string, string>
}

const PARTS = /^[a-z]+:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/
const SERVER = /^(\[[\da-fA-F:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/

function invalid(what: string): IngotError {
  return new IngotError('CONFIG_INVALID', `the lock URL ${what}`)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('has credentials that are not percent-encoded')
  }
}

function serverOf(text: string, defaultPort: number): ServiceAddress {
  const [, host = '', port] = SERVER.exec(text) ?? []
  const number = port === undefined ? defaultPort : Number(port)
  if (host === '' || number < 1 || number > 65_535) throw invalid('has a server that is not host or host:port')
  return { host: host.replaceAll(/[[\]]/g, ''), port: number }
}

/** Returns the parts of the URL. Throws `CONFIG_INVALID` without the credentials; `allowed` are the parameters. */
export function parseServiceUrl(url: string, defaultPort: number, allowed: readonly string[]): ServiceUrl {
  const [, credentials, hosts = '', path = '', query = ''] = PARTS.exec(url) ?? []
  if (hosts === '') throw invalid('is not scheme://user:password@host:port,host:port/?parameters')
  const parameters = new Map(new URLSearchParams(query))
  for (const name of parameters.keys()) {
    if (!allowed.includes(name)) throw invalid(`has the unknown parameter "${name}"; allowed are ${allowed.join(', ')}`)
  }
  const servers = hosts.split(',').map((host) => serverOf(host, defaultPort))
  if (credentials === undefined) return { servers, path, parameters }
  const colon = credentials.indexOf(':')
  if (colon < 1) throw invalid('has a user without a password')
  const [user, password] = [credentials.slice(0, colon), credentials.slice(colon + 1)].map(decoded)
  return { servers, path, parameters, user: user ?? '', password: password ?? '' }
}

export interface TlsFiles {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
}

/** Reads the files that the parameters `ca`, `cert` and `key` name. Throws `LOCK_TLS_FAILED` for one that is unreadable. */
export function readTlsFiles(parameters: ReadonlyMap<string, string>): TlsFiles {
  const names = ['ca', 'cert', 'key'] as const
  const entries = names.flatMap((name) => {
    const path = parameters.get(name)
    return path === undefined ? [] : [[name, contentOf(name, path)] as const]
  })
  return Object.fromEntries(entries)
}

function contentOf(name: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new IngotError('LOCK_TLS_FAILED', `the file of "${name}" cannot be read: ${reasonOf(cause)}`, { cause })
  }
}

const NAMESPACE = /^[\w.-]{1,64}$/

/** Returns the parameter `namespace`, which begins the names of all keys. Default: ingot. Throws `CONFIG_INVALID`. */
export function namespaceOf(parameters: ReadonlyMap<string, string>): string {
  const namespace = parameters.get('namespace') ?? 'ingot'
  if (!NAMESPACE.test(namespace)) throw invalid(`has no valid namespace: "${namespace}"`)
  return namespace
}
