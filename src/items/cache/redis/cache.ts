/**
 * The cache in Redis, in every shape of deployment. An entry is one key of its own with an expiry, so that Redis can
 * evict what it has no room for. In a Cluster the keys of a call must be in one slot: ids are spread over TAGS hash
 * tags, and a batch is one call for each tag that it needs, side by side.
 *
 * What is read is taken for a fact only when it has exactly the form that is written here.
 */
import type { RedisConnection } from '../../../redis/connection.ts'
import { loadScript, type Script, scriptBody } from '../../../redis/script.ts'
import type { VersionStamp } from '../../store-version.ts'
import type { CacheKey, Fact, ItemCache } from '../cache.ts'

/** For a batch of hundreds few calls, and still some for each of many servers. */
const TAGS = 32
/** Keys of one call: a larger one would keep the server from everybody else. */
const MAX_KEYS = 512

export interface RedisCacheOptions {
  /** How long an entry is kept, milliseconds. */
  readonly ttlMs: number
  /** Begins every key. 1 to 64 of `a-z A-Z 0-9 . _ -`. Default: ingot. */
  readonly namespace?: string
}

const READ = loadScript('read', import.meta.url)
const WRITE = loadScript('write', import.meta.url)
const NOTE = loadScript('note', import.meta.url)

/** `connection` is connected by then, or rejects. The cache closes it. */
export function createRedisCache(connection: RedisConnection, options: RedisCacheOptions): ItemCache {
  const { namespace = 'ingot' } = options
  const ttl = String(Math.ceil(options.ttlMs))
  // a position that outlives what was written under it
  const noteTtl = String(2 * Math.ceil(options.ttlMs) + HOUR_MS)
  const nameOf = ({ collection, id }: CacheKey): string => `${namespace}:{item-${tagOf(id)}}:${collection}/${id}`

  function call<T>(script: Script, keys: Keys, args: readonly string[], read: (reply: unknown) => T): Promise<T> {
    return connection.run({ script, ...scriptBody(keys, args), read, wanted: () => true })
  }

  /** Places in the batch, of those that go together. */
  function groupsOf(keys: readonly CacheKey[]): readonly (readonly number[])[] {
    const places = Array.from(keys.keys())
    const groups = connection.clustered ? Map.groupBy(places, (at) => tagOf(keys[at]?.id ?? '')).values() : [places]
    return [...groups].flatMap(partsOf)
  }

  return {
    async read(keys) {
      const names = keys.map(nameOf)
      const facts: (Fact | undefined)[] = keys.map(() => undefined)
      const readGroup = async (places: readonly number[]): Promise<void> => {
        const [first, ...rest] = places.map((at) => names[at] ?? '')
        if (first === undefined) return
        const lines = await call(READ, [first, ...rest], [], linesOf)
        for (const [index, at] of places.entries()) facts[at] = parseFact(lines[index] ?? '')
      }
      await Promise.all(groupsOf(keys).map(readGroup))
      return facts
    },
    async write(entries) {
      const writeGroup = async (places: readonly number[]): Promise<void> => {
        const group = places.flatMap((at) => entries[at] ?? [])
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

/** An id ends in hexadecimal digits of a hash. Every replica must compute the same. */
function tagOf(id: string): number {
  return Number.parseInt(id.slice(-2), 16) % TAGS || 0
}

function partsOf(places: readonly number[]): readonly (readonly number[])[] {
  const count = Math.ceil(places.length / MAX_KEYS)
  return Array.from({ length: count }, (_, part) => places.slice(part * MAX_KEYS, (part + 1) * MAX_KEYS))
}

function linesOf(reply: unknown): readonly string[] {
  return typeof reply === 'string' ? reply.split('\n') : []
}

const FACT = /^1 (\S{1,100}) (\d{1,15}) (\d{1,30}) (\d{1,15})$/

/** The 1 is the version of the form. */
function factText({ epoch, deletes, position, firstSeenMs }: Fact): string {
  return `1 ${epoch} ${deletes} ${position} ${firstSeenMs}`
}

function parseFact(text: string): Fact | undefined {
  const [, epoch, deletes, position, firstSeen] = FACT.exec(text) ?? []
  if (epoch === undefined || position === undefined) return undefined
  return { epoch, deletes: Number(deletes), position: BigInt(position), firstSeenMs: Number(firstSeen) }
}
