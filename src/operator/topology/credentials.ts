/** Credentials of a topology, from a Secret in its namespace. */
import { IngotError } from '../../errors/error.ts'
import type { KubeApi } from '../../kube/client/api.ts'
import type { Resource } from '../../kube/client/resource.ts'
import type { Credentials } from '../../redis/redis-url.ts'
import type { Clock } from '../../std/clock.ts'

/** The reason why a topology cannot be observed: CamelCase for programs, and a sentence with a remedy. */
export class Obstacle extends IngotError {
  readonly reason: string

  constructor(reason: string, message: string) {
    super('TOPOLOGY_UNOBSERVABLE', message)
    this.reason = reason
  }
}

/** The Secrets that a spec names. */
export interface SecretNames {
  readonly auth?: { readonly secretName: string } | undefined
  readonly tls?: { readonly secretName: string } | undefined
}

export interface Access {
  /** Empty without `auth`. */
  readonly credentials: Credentials
  /** PEM. Absent: no TLS. */
  readonly caPem?: string
}

export interface CredentialsReader {
  /** Rejects with an Obstacle for a Secret that is missing, incomplete or forbidden. */
  read(namespace: string, names: SecretNames, signal: AbortSignal): Promise<Access>
}

const SECRETS: Resource = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true }
/** The user of the operator in the ACLs of Redis and Sentinel, and the key of its password. */
const USER = 'operator'
const PASSWORD_KEY = 'operator-password'
const CA_KEY = 'ca.crt'
/** A Secret is read again after so long, in milliseconds. */
const FRESH_MS = 30_000

interface Cached {
  readonly value: string
  readonly readMs: number
}

export function createCredentialsReader(api: KubeApi, clock: Clock): CredentialsReader {
  const cache = new Map<string, Cached>()

  async function fetch(namespace: string, name: string, key: string, signal: AbortSignal): Promise<string> {
    const where = `Secret ${namespace}/${name}`
    const secret = await api.get(SECRETS, { namespace, name }, signal).catch((cause: unknown) => {
      if (cause instanceof IngotError && cause.code === 'KUBE_FORBIDDEN')
        throw new Obstacle('SecretForbidden', `${where} cannot be read: bind a Role with get on it to the operator`)
      throw cause
    })
    if (secret === undefined)
      throw new Obstacle('SecretMissing', `${where} does not exist: create it, or correct its name in the spec`)
    const value = valueOf(secret['data'], key)
    if (value === undefined) throw new Obstacle('SecretIncomplete', `${where} has no key ${key}: add it`)
    return value
  }

  async function read(namespace: string, name: string, key: string, signal: AbortSignal): Promise<string> {
    const id = [namespace, name, key].join('/')
    const known = cache.get(id)
    if (known !== undefined && clock.monotonicMs() - known.readMs < FRESH_MS) return known.value
    cache.delete(id)
    const value = await fetch(namespace, name, key, signal)
    cache.set(id, { value, readMs: clock.monotonicMs() })
    return value
  }

  return {
    async read(namespace, { auth, tls }, signal) {
      const password = auth && (await read(namespace, auth.secretName, PASSWORD_KEY, signal))
      const caPem = tls && (await read(namespace, tls.secretName, CA_KEY, signal))
      return {
        credentials: password === undefined ? {} : { user: USER, password },
        ...(caPem === undefined ? {} : { caPem }),
      }
    },
  }
}

function valueOf(data: unknown, key: string): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const value = new Map<string, unknown>(Object.entries(data)).get(key)
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined
}
