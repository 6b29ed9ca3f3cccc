/**
 * The compared libraries behind one interface: wait for a lock, release it. Each is used according to its documentation,
 * with its default retries but without a limit, and with ioredis clients with the same options.
 */
import { createRequire } from 'node:module'
import type { Redis } from 'ioredis'
import { createLocker, openLockBackend } from '../../../src/lock/index.ts'
import { createSingleClient, DEFAULT_SETTINGS } from '../../../src/redis/client.ts'

export type Release = () => Promise<unknown>

export interface Contender {
  acquire(key: string, ttlMs: number): Promise<Release>
}

/** Commands that a library sends itself, in addition to EVAL and EVALSHA, with the names of INFO commandstats. */
interface Library {
  readonly version: string
  readonly plain: readonly string[]
  open(ports: readonly number[]): Promise<Contender>
}

const LONG_MS = 60_000
const require = createRequire(import.meta.url)

/** Parts of the libraries' types, because the libraries are not installed when ingot is checked. */
interface Handle {
  release?(): Promise<unknown>
  unlock?(): Promise<unknown>
}
interface RedlockLike {
  acquire(resources: readonly string[], ttl: number): Promise<Required<Handle>>
  lock(resource: string, ttl: number): Promise<Required<Handle>>
  on(event: string, listener: () => void): void
}
type RedlockClass = new (clients: readonly Redis[], settings: object) => RedlockLike
interface UniversalLock {
  acquire(): Promise<object>
  release(handle: object): Promise<unknown>
}
interface Universal {
  createLock(config: object): UniversalLock
  createRedlock(config: object): UniversalLock
  readonly IoredisAdapter: new (client: Redis) => object
}
interface MutexLike {
  acquire(): Promise<void>
  release(): Promise<void>
}
interface Semaphore {
  readonly Mutex: new (client: Redis, key: string, options: object) => MutexLike
  readonly RedlockMutex: new (clients: readonly Redis[], key: string, options: object) => MutexLike
}

async function connected(ports: readonly number[]): Promise<readonly Redis[]> {
  return Promise.all(
    ports.map(async (port) => {
      const target = { endpoint: { host: '127.0.0.1', port }, database: 0, credentials: {} }
      const client = await createSingleClient(target, DEFAULT_SETTINGS, { started: true })
      client.on('error', () => undefined)
      await client.connect()
      return client
    }),
  )
}

const ingot: Library = {
  version: 'this tree',
  plain: ['ssubscribe', 'sunsubscribe'],
  async open(ports) {
    const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',')
    const url = ports.length === 1 ? `redis://${hosts}` : `redlock://${hosts}`
    const locker = createLocker(await openLockBackend(url, {}, AbortSignal.timeout(LONG_MS)))
    return {
      async acquire(key, ttlMs) {
        const grant = await locker.acquire(key, { ttlMs, waitMs: LONG_MS })
        return () => grant.release()
      },
    }
  },
}

/** `patient`: never gives up, like a queue of workers. On several nodes, the default number of attempts applies. */
const patience = (ports: readonly number[]): { readonly retryCount?: number } =>
  ports.length === 1 ? { retryCount: -1 } : {}

const redlock4: Library = {
  version: '4.2.0',
  plain: [],
  async open(ports) {
    const redlock = new (require('redlock') as RedlockClass)(await connected(ports), patience(ports))
    redlock.on('clientError', () => undefined)
    return {
      async acquire(key, ttlMs) {
        const lock = await redlock.lock(key, ttlMs)
        return () => lock.unlock()
      },
    }
  },
}

function later(name: string, version: string, load: () => Promise<RedlockClass>): Library {
  return {
    version,
    plain: [],
    async open(ports) {
      const redlock = new (await load())(await connected(ports), patience(ports))
      redlock.on('error', () => undefined)
      return {
        async acquire(key, ttlMs) {
          const lock = await redlock.acquire([`${name}:${key}`], ttlMs)
          return () => lock.release()
        },
      }
    },
  }
}

const universal: Library = {
  version: '0.8.5',
  plain: ['set'],
  async open(ports) {
    const library = require('redlock-universal') as Universal
    const adapters = (await connected(ports)).map((client) => new library.IoredisAdapter(client))
    const [adapter] = adapters
    const tries = ports.length === 1 ? { retryAttempts: 100_000 } : { retryAttempts: 10, retryDelay: 200 }
    return {
      async acquire(key, ttl) {
        const config = { key: `universal:${key}`, ttl, ...tries }
        const lock =
          ports.length === 1
            ? library.createLock({ adapter, ...config })
            : library.createRedlock({ adapters, ...config })
        const handle = await lock.acquire()
        return () => lock.release(handle)
      },
    }
  },
}

const semaphore: Library = {
  version: '5.8.0',
  plain: ['set'],
  async open(ports) {
    const { Mutex, RedlockMutex } = require('redis-semaphore') as Semaphore
    const clients = await connected(ports)
    const [client] = clients
    return {
      async acquire(key, lockTimeout) {
        const options = { lockTimeout, acquireTimeout: ports.length === 1 ? LONG_MS : 3_000 }
        const mutex =
          ports.length === 1 && client !== undefined
            ? new Mutex(client, key, options)
            : new RedlockMutex(clients, key, options)
        await mutex.acquire()
        return () => mutex.release()
      },
    }
  },
}

export const LIBRARIES = {
  ingot,
  'redlock 4.2.0': redlock4,
  'redlock 5.0.0-beta.2': later('beta', '5.0.0-beta.2', async () => {
    const loaded = (await import(require.resolve('redlock-beta').replace('/cjs/', '/esm/'))) as {
      default: RedlockClass
    }
    return loaded.default
  }),
  '@sesamecare-oss/redlock': later('sesame', '1.4.0', async () => {
    const loaded = require('@sesamecare-oss/redlock') as { Redlock: RedlockClass }
    return loaded.Redlock
  }),
  'redlock-universal': universal,
  'redis-semaphore': semaphore,
} as const satisfies Readonly<Record<string, Library>>

export type Name = keyof typeof LIBRARIES

export const NAMES = Object.keys(LIBRARIES) as readonly Name[] // the keys of a constant object
