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

export interface CredentialsReader {
  /** Returns no credentials without a name. Rejects with an Obstacle for a Secret that is missing or incomplete. */
  read(namespace: string, secretName: string | undefined, signal: AbortSignal): Promise<Credentials>
}

const SECRETS: Resource = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true }
/** The user of the operator in the ACLs of Redis and Sentinel, and the key of its password. */
const USER = 'operator'
const KEY = 'operator-password'
/** A Secret is read again after so long, in milliseconds. */
const FRESH_MS = 30_000

interface Cached {
  readonly credentials: Credentials
  readonly readMs: number
}

export function createCredentialsReader(api: KubeApi, clock: Clock): CredentialsReader {
  const cache = new Map<string, Cached>()

  async function fetch(namespace: string, name: string, signal: AbortSignal): Promise<Credentials> {
    const where = `Secret ${namespace}/${name}`
    const secret = await api.get(SECRETS, { namespace, name }, signal).catch((cause: unknown) => {
      if (cause instanceof IngotError && cause.code === 'KUBE_FORBIDDEN')
        throw new Obstacle('SecretForbidden', `${where} cannot be read: bind a Role with get on it to the operator`)
      throw cause
    })
    if (secret === undefined)
      throw new Obstacle('SecretMissing', `${where} does not exist: create it, or correct auth.secretName`)
    const password = valueOf(secret['data'], KEY)
    if (password === undefined) throw new Obstacle('SecretIncomplete', `${where} has no key ${KEY}: add it`)
    return { user: USER, password }
  }

  return {
    async read(namespace, secretName, signal) {
      if (secretName === undefined) return {}
      const key = `${namespace}/${secretName}`
      const known = cache.get(key)
      if (known !== undefined && clock.monotonicMs() - known.readMs < FRESH_MS) return known.credentials
      cache.delete(key)
      const credentials = await fetch(namespace, secretName, signal)
      cache.set(key, { credentials, readMs: clock.monotonicMs() })
      return credentials
    },
  }
}

function valueOf(data: unknown, key: string): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const value = new Map<string, unknown>(Object.entries(data)).get(key)
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined
}
