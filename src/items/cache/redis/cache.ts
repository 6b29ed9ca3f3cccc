/**
 * The cache in Redis, for every kind of deployment. Each entry is one key with an expiry, so that Redis can evict
 * entries when memory is full. In a Cluster, all keys of a call must be in one slot. Ids are therefore spread over TAGS
 * hash tags, and a batch makes one concurrent call per tag.
 *
 * A value counts as a fact only if it has exactly the format that this module writes.
 */
import type { RedisConnection } from '../../../redis/connection.ts'
import { loadScript, type Script, scriptBody } from '../../../redis/script.ts'
import type { VersionStamp } from '../../store-version.ts'
import type { CacheKey, Fact, ItemCache } from '../cache.ts'

/** Small enough that a batch of hundreds needs few calls, large enough to spread over many servers. */
const TAGS = 32
/** Maximum number of keys per call. A larger call would block the server for other clients. */
const MAX_KEYS = 512

export interface RedisCacheOptions {
  /** Lifetime of an entry in milliseconds. */
  readonly ttlMs: number
  /** Prefix of every key. 1 to 64 of `a-z A-Z 0-9 . _ -`. Default: ingot. */
  readonly namespace?: string
}

const READ = loadScript('read', import.meta.url)
const WRITE = loadScript('write', import.meta.url)
const NOTE = loadScript('note', import.meta.url)

/** Creates the cache on a connection that is connected. Disposing the cache closes the connection. */
export function createRedisCache(connection: RedisConnection, options: RedisCacheOptions): ItemCache {
  const { namespace = 'ingot' } = options
  const ttl = String(Math.ceil(options.ttlMs))
  // the position must outlive the entries that depend on it
  const noteTtl = String(2 * Math.ceil(options.ttlMs) + HOUR_MS)
  const nameOf = ({ collection, id }: CacheKey): string => `${namespace}:{item-${tagOf(id)}}:${collection}/${id}`

  function call<T>(script: Script, keys: Keys, args: readonly string[], read: (reply: unknown) => T): Promise<T> {
    return connection.run({ script, ...scriptBody(keys, args), read, wanted: () => true })
  }

  /** Returns indexes of the batch, grouped into calls. */
  function groupsOf(keys: readonly CacheKey[]): readonly (readonly number[])[] {
    const indexes = Array.from(keys.keys())
    const groups = connection.clustered ? Map.groupBy(indexes, (at) => tagOf(keys[at]?.id ?? '')).values() : [indexes]
    return [...groups].flatMap(partsOf)
  }

  return {
    async read(keys) {
      const names = keys.map(nameOf)
      const facts: (Fact | undefined)[] = keys.map(() => undefined)
      const readGroup = async (indexes: readonly number[]): Promise<void> => {
        const [first, ...rest] = indexes.map((at) => names[at] ?? '')
        if (first === undefined) return
        const lines = await call(READ, [first, ...rest], [], linesOf)
        for (const [index, at] of indexes.entries()) facts[at] = parseFact(lines[index] ?? '')
      }
      await Promise.all(groupsOf(keys).map(readGroup))
      return facts
    },
    async write(entries) {
      const writeGroup = async (indexes: readonly number[]): Promise<void> => {
        const group = indexes.flatMap((at) => entries[at] ?? [])
        const [first, ...rest] = group.map(nameOf)
        if (first !== undefined) await call(WRITE, [first, ...rest], [ttl, ...group.map(factText)], () => {})
      }
      await Promise.all(groupsOf(entries).map(writeGroup))
    },
    note({ epoch, position }) {
      const read = (reply: unknown): VersionStamp => ({ epoch, position: BigInt(String(reply)) })
      return call(NOTE, [`${namespace}:{past}:${epoch}`], [String(position), noteTtl], read)
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  }
}

type Keys = readonly [string, ...string[]]

const HOUR_MS = 3_600_000

/** Returns the hash tag of an id, from its last hexadecimal digits. Every replica must compute the same tag. */
function tagOf(id: string): number {
  return Number.parseInt(id.slice(-2), 16) % TAGS || 0
}

function partsOf(indexes: readonly number[]): readonly (readonly number[])[] {
  const count = Math.ceil(indexes.length / MAX_KEYS)
  return Array.from({ length: count }, (_, part) => indexes.slice(part * MAX_KEYS, (part + 1) * MAX_KEYS))
}

function linesOf(reply: unknown): readonly string[] {
  return typeof reply === 'string' ? reply.split('\n') : []
}

const FACT = /^1 (\S{1,100}) (\d{1,15}) (\d{1,30}) (\d{1,15})$/

/** The 1 is the version of the format. */
function factText({ epoch, deletes, position, firstSeenMs }: Fact): string {
  return `1 ${epoch} ${deletes} ${position} ${firstSeenMs}`
}

function parseFact(text: string): Fact | undefined {
  const [, epoch, deletes, position, firstSeen] = FACT.exec(text) ?? []
  if (epoch === undefined || position === undefined) return undefined
  return { epoch, deletes: Number(deletes), position: BigInt(position), firstSeenMs: Number(firstSeen) }
}
