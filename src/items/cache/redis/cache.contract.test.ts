/** Tests the cache on every kind of Redis deployment, and the in-memory cache that unit tests use. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRedisConnection } from '../../../redis/deployment.ts'
import { parseRedisUrl } from '../../../redis/redis-url.ts'
import { silentLog } from '../../../telemetry/log.ts'
import { createFakeCache } from '../../../testing/item-cache.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type RedisServers, startCluster, startSentinel, startStandalone } from '../../../testing/redis/servers.ts'
import { item } from '../../contract.ts'
import type { CacheKey, Fact, ItemCache } from '../cache.ts'
import { createRedisCache } from './cache.ts'

const TTL_MS = 60_000

interface Subject extends AsyncDisposable {
  readonly cache: ItemCache
  readonly servers?: RedisServers
}

async function subject(start: () => Promise<RedisServers | Absent>): Promise<Subject | Absent> {
  const servers = await start()
  if ('absent' in servers) return servers
  const cache = await openCache(servers)
  return {
    cache,
    servers,
    async [Symbol.asyncDispose]() {
      await cache[Symbol.asyncDispose]()
      await servers[Symbol.asyncDispose]()
    },
  }
}

async function openCache(servers: RedisServers, namespace?: string): Promise<ItemCache> {
  const deps = { log: silentLog, listeners: { message: () => {}, gap: () => {} }, purpose: 'cache' } as const
  const connection = createRedisConnection(parseRedisUrl(servers.url), deps)
  await connection.connect(AbortSignal.timeout(10_000))
  return createRedisCache(connection, { ttlMs: TTL_MS, ...(namespace === undefined ? {} : { namespace }) })
}

async function fake(): Promise<Subject> {
  const cache = createFakeCache()
  return { cache, [Symbol.asyncDispose]: () => cache[Symbol.asyncDispose]() }
}

const SUBJECTS: readonly (readonly [string, () => Promise<Subject | Absent>])[] = [
  ['in memory', fake],
  ['redis, standalone', () => subject(startStandalone)],
  ['redis, Sentinel', () => subject(startSentinel)],
  ['redis, Cluster', () => subject(startCluster)],
]

let numbers = 0
const keyOf = (collection = 'c'): CacheKey => ({ collection, id: item({ number: ++numbers }).id })
const fact: Fact = { epoch: '7-0d2c', deletes: 3, position: 2n ** 63n + 1n, firstSeenMs: 1_700_000_000_123 }

describe.each(SUBJECTS)('a cache %s', (_name, start) => {
  let started: Subject | Absent
  beforeAll(async () => {
    started = await start()
  })
  afterAll(async () => {
    if (!('absent' in started)) await started[Symbol.asyncDispose]()
  })

  test('returns nothing for unknown keys, and every fact that was written', async ({ skip }) => {
    const { cache } = present(started, skip)
    const [one, other] = [keyOf(), keyOf()]
    expect(await cache.read([one, other])).toEqual([undefined, undefined])
    await cache.write([{ ...one, ...fact }])
    expect(await cache.read([other, one, one])).toEqual([undefined, fact, fact])
  })

  test('keeps collections separate', async ({ skip }) => {
    const { cache } = present(started, skip)
    const key = keyOf()
    await cache.write([{ ...key, ...fact }])
    expect(await cache.read([{ ...key, collection: 'd' }])).toEqual([undefined])
  })

  test('returns the last fact written for an item', async ({ skip }) => {
    const { cache } = present(started, skip)
    const key = keyOf()
    await cache.write([{ ...key, ...fact }])
    await cache.write([{ ...key, ...fact, epoch: '8-f', deletes: 0 }])
    expect(await cache.read([key])).toEqual([{ ...fact, epoch: '8-f', deletes: 0 }])
  })

  test('handles thousands of keys at once, and keeps their order', async ({ skip }) => {
    const { cache } = present(started, skip)
    const keys = Array.from({ length: 3_000 }, () => keyOf())
    await cache.write(keys.map((key, index) => ({ ...key, ...fact, firstSeenMs: index })))
    const read = await cache.read(keys.toReversed())
    expect(read.map((one) => one?.firstSeenMs)).toEqual(Array.from({ length: 3_000 }, (_, index) => 2_999 - index))
    expect(await cache.read([])).toEqual([])
    await cache.write([])
  })

  test('records the highest position of each epoch, beyond the range of a double', async ({ skip }) => {
    const { cache } = present(started, skip)
    const epoch = `9-${numbers}`
    expect(await cache.note({ epoch, position: 9n })).toEqual({ epoch, position: 9n })
    for (const position of [2n ** 63n + 2n, 2n ** 63n + 1n, 10n]) {
      expect(await cache.note({ epoch, position })).toEqual({ epoch, position: 2n ** 63n + 2n })
    }
    expect(await cache.note({ epoch: `${epoch}+`, position: 1n })).toEqual({ epoch: `${epoch}+`, position: 1n })
  })

  test('expires everything', async ({ skip }) => {
    const { servers } = present(started, skip)
    if (servers === undefined) return
    await using cache = await openCache(servers, `ttl-${numbers}`)
    await cache.write([{ ...keyOf(), ...fact }])
    await cache.note({ epoch: 'e', position: 1n })
    const keys = await keysOf(servers, `ttl-${numbers - 1}:*`)
    expect(keys).toHaveLength(2)
    for (const { ttlMs } of keys) {
      expect(ttlMs).toBeGreaterThan(0)
      expect(ttlMs).toBeLessThanOrEqual(2 * TTL_MS + 3_600_000)
    }
  })

  test('ignores values in another format', async ({ skip }) => {
    const { servers } = present(started, skip)
    if (servers === undefined) return
    const namespace = `odd-${numbers}`
    await using cache = await openCache(servers, namespace)
    const key = keyOf()
    await cache.write([{ ...key, ...fact }])
    const [entry] = await keysOf(servers, `${namespace}:*`)
    for (const text of ['', '1 7-0d2c 3 x 5', '2 7-0d2c 3 9 5', '1 7-0d2c 3 9', '1 7-0d2c 3 9 5 6']) {
      await servers.cli(entry?.port ?? 0, 'set', entry?.name ?? '', text)
      expect(await cache.read([key])).toEqual([undefined])
    }
  })
})

/** Returns the matching keys, each with its remaining time and its server. */
async function keysOf(servers: RedisServers, pattern: string) {
  const slots = servers.url.startsWith('redis+cluster:') ? [0, 8_000, 16_000] : [0]
  const ports = new Set(await Promise.all(slots.map((slot) => servers.master(slot))))
  const found: { readonly port: number; readonly name: string; readonly ttlMs: number }[] = []
  for (const port of ports) {
    const names = (await servers.cli(port, 'keys', pattern)).split('\n').filter((name) => name !== '')
    for (const name of names) found.push({ port, name, ttlMs: Number(await servers.cli(port, 'pttl', name)) })
  }
  return found
}
