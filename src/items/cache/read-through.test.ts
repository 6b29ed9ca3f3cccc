import { expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import { createBreaker } from '../../std/breaker.ts'
import { silentLog } from '../../telemetry/log.ts'
import { createMetrics } from '../../telemetry/metrics.ts'
import { overStore } from '../../testing/app.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { createFakeCache } from '../../testing/item-cache.ts'
import { item } from '../contract.ts'
import { createVersionLeases } from '../freshness/version-lease.ts'
import type { ItemStore, Unit } from '../store.ts'
import { createMemoryStore } from '../stores/memory/store.ts'
import { CACHE_TIMEOUT_MS, guardCache } from './guarded-cache.ts'
import { createCacheMeasures } from './measure.ts'
import { withCache } from './read-through.ts'
import { createCacheWrites } from './write-behind.ts'

/** Replicas over one store, with one cache between them. */
function setUp() {
  const clock = createFakeClock()
  const cache = createFakeCache()
  const inner = createMemoryStore()
  /** Units that reached the store. */
  const puts: Unit[] = []
  const over: Partial<ItemStore> = {}
  const store = overStore(inner, {
    put: (units, nowMs) => {
      puts.push(...units)
      return (over.put ?? inner.put.bind(inner))(units, nowMs)
    },
    version: (collection) => (over.version ?? inner.version.bind(inner))(collection),
  })
  function replica() {
    const metrics = createMetrics()
    const measures = createCacheMeasures(metrics)
    const guarded = guardCache({
      cache,
      breaker: createBreaker({ volume: 5, windowMs: 60_000, restMs: 60_000 }),
      clock,
      measures,
      log: silentLog,
    })
    const leases = createVersionLeases({ store, clock, log: silentLog, highWaterMarks: guarded })
    const writes = createCacheWrites({ cache: guarded, leases, clock, measures })
    const cached = withCache({ store, cache: guarded, leases, writes, measures })
    return {
      leases,
      /** Returns the outcome of each value, under a current lease. */
      async put(...values: unknown[]): Promise<string[]> {
        await leases.renewed('c')
        return this.putNow(...values)
      },
      async putNow(...values: unknown[]): Promise<string[]> {
        const [outcome] = await cached.put([unit(...values)], 5)
        if (outcome?.kind !== 'stored') throw new Error(`not stored but ${outcome?.kind}`)
        return outcome.outcomes.map((one) => (one.kind === 'created' ? 'created' : one.foundBy))
      },
      puts: cached.put.bind(cached),
      counted: async (line: string) => Number(new RegExp(`^${line} (\\d+)$`, 'm').exec(await text(metrics))?.[1] ?? 0),
    }
  }
  /** Waits until the committed items have been written to the cache. */
  const settle = () => clock.advance(100)
  return { clock, cache, store, inner, over, puts, replica, settle }
}

const text = async (metrics: ReturnType<typeof createMetrics>): Promise<string> => (await metrics.render()).body

const unit = (...values: unknown[]): Unit => ({
  collection: { name: 'c', policy: { kind: 'json' } },
  items: values.map((value) => item(value)),
})

test('a replica recognises items that another replica committed, without the store', async () => {
  const { replica, settle, puts } = setUp()
  expect(await replica().put('a', 'b')).toEqual(['created', 'created'])
  await settle()
  puts.length = 0
  const other = replica()
  expect(await other.put('a', 'b')).toEqual(['cache', 'cache'])
  expect(puts).toEqual([])
  expect(await other.counted('ingot_cache_lookups_total{result="hit"}')).toBe(2)
})

test('only unknown items go to the store, and every outcome belongs to its item', async () => {
  const { replica, settle, puts } = setUp()
  await replica().put('a', 'c')
  await settle()
  puts.length = 0
  expect(await replica().put('new', 'a', 'newer', 'c')).toEqual(['created', 'cache', 'created', 'cache'])
  expect(puts).toEqual([unit('new', 'newer')])
})

test('a batch reads the cache once, and its commit writes once', async () => {
  const { replica, settle, cache } = setUp()
  const one = replica()
  await one.leases.renewed('c')
  cache.calls.length = 0
  await one.puts([unit('a'), unit('b'), unit('d', 'e')], 5)
  await settle()
  expect(cache.calls).toEqual(['read', 'note', 'write'])
})

test('a unit with an Idempotency-Key goes to the store as one unit', async () => {
  const { replica, settle, puts } = setUp()
  const one = replica()
  await one.put('a')
  await settle()
  puts.length = 0
  const form = { kind: 'single', slots: [{ kind: 'item', at: 0, repeat: false }] } as const
  const idempotency = { scope: 's', key: 'k', fingerprint: 'f', expiresAtMs: 1e15, form }
  const keyed = { ...unit('a'), idempotency }
  const [outcome] = await one.puts([keyed], 5)
  expect(outcome).toMatchObject({ kind: 'stored', receipt: expect.anything() as object })
  expect(puts).toEqual([keyed])
})

test('nothing is written before the commit, or after a failed commit', async () => {
  const { replica, settle, over, cache } = setUp()
  const one = replica()
  over.put = async () => {
    await settle()
    expect(cache.facts.size).toBe(0)
    throw new IngotError('STORE_UNAVAILABLE', 'cut')
  }
  await expect(one.put('a')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await settle()
  expect(cache.facts.size).toBe(0)
  delete over.put
  expect(await replica().put('a')).toEqual(['created'])
})

test('nothing is written until a version requested after the commit has been recorded', async () => {
  const { replica, settle, over, cache, inner } = setUp()
  const one = replica()
  await one.put('a')
  const { promise: held, resolve } = Promise.withResolvers<void>()
  over.version = (collection) => held.then(() => inner.version(collection))
  await settle()
  expect(cache.facts.size).toBe(0)
  resolve()
  await settle()
  const [fact] = [...cache.facts.values()]
  const { position } = await inner.version('c')
  expect(fact).toMatchObject({ position })
  expect(cache.notes.get(fact?.epoch ?? '')).toBe(position)
})

test('items committed in an earlier epoch are not written', async () => {
  const { replica, settle, cache, inner } = setUp()
  const one = replica()
  await one.put('a')
  await inner.beginEpoch()
  await settle()
  expect(cache.facts.size).toBe(0)
  expect(await one.counted('ingot_cache_dropped_total{reason="unconfirmed"}')).toBe(1)
})

test('an entry of another epoch is not used', async () => {
  const { replica, settle, inner } = setUp()
  await replica().put('a')
  await settle()
  await inner.beginEpoch()
  const other = replica()
  expect(await other.put('a')).toEqual(['store'])
  expect(await other.counted('ingot_cache_lookups_total{result="disbelieved"}')).toBe(1)
})

test('an entry from before a deletion is not used, even if it is written late', async () => {
  const { replica, settle, inner, cache } = setUp()
  await replica().put('a', 'b')
  await settle()
  const kept = new Map(cache.facts)
  await inner.delete('c', item('a').id)
  expect(await replica().put('a', 'b')).toEqual(['created', 'store'])
  await settle()
  await inner.delete('c', item('a').id)
  // the cache goes back in time, or an old write arrives late
  for (const [name, fact] of kept) cache.facts.set(name, fact)
  expect(await replica().put('a', 'b')).toEqual(['created', 'store'])
})

test('an entry beyond the position of the lease is not used', async () => {
  const { replica, settle, cache } = setUp()
  await replica().put('a')
  await settle()
  for (const [name, fact] of cache.facts) cache.facts.set(name, { ...fact, position: fact.position + 1n })
  expect(await replica().put('a')).toEqual(['store'])
})

test('no entry is used if the lease expired during the read', async () => {
  const { replica, settle, cache, clock, over } = setUp()
  await replica().put('a')
  await settle()
  const other = replica()
  await other.leases.renewed('c')
  over.version = () => new Promise<never>(() => {})
  await clock.advance(1_990)
  const read = cache.read.bind(cache)
  cache.read = async (keys) => {
    clock.block(20)
    return read(keys)
  }
  expect(await other.putNow('a')).toEqual(['store'])
})

test('an unavailable cache costs nothing but lookups in the store, and is skipped after some failures', async () => {
  const { replica, settle, cache } = setUp()
  await replica().put('a')
  await settle()
  const other = replica()
  await other.leases.renewed('c')
  cache.state = 'away'
  cache.calls.length = 0
  for (let n = 0; n < 20; n++) expect(await other.putNow('a')).toEqual(['store'])
  expect(cache.calls.length).toBeLessThanOrEqual(6)
  expect(await other.counted('ingot_cache_breaker_state{state="open"}')).toBe(1)
  expect(await other.counted('ingot_cache_errors_total{call="read",why="left-alone"}')).toBeGreaterThan(0)
})

test('a frozen cache delays a batch by its timeout, until the breaker opens', async () => {
  const { replica, settle, cache, clock } = setUp()
  await replica().put('a')
  await settle()
  const other = replica()
  await other.leases.renewed('c')
  cache.state = 'frozen'
  const waits: number[] = []
  for (let n = 0; n < 8; n++) {
    const begunMs = clock.monotonicMs()
    const done = other.putNow(`new ${n}`).then(() => clock.monotonicMs())
    for (let ms = 0; ms <= CACHE_TIMEOUT_MS; ms++) await clock.advance(1)
    waits.push((await done) - begunMs)
  }
  expect(Math.max(...waits)).toBeLessThanOrEqual(CACHE_TIMEOUT_MS + 1)
  expect(waits.slice(-2)).toEqual([0, 0])
})

test('batches that waited behind a batch delayed by a frozen cache are not delayed again', async () => {
  const { clock, cache, replica } = setUp()
  const one = replica()
  await one.put('before')
  cache.state = 'frozen'
  const kept = one.putNow('a')
  await clock.advance(CACHE_TIMEOUT_MS)
  expect(await kept).toEqual(['created'])
  // fake time stands still: a read would never return
  expect(await one.putNow('b')).toEqual(['created'])
  cache.calls.length = 0
  await clock.advance(CACHE_TIMEOUT_MS)
  const asked = one.putNow('c')
  await clock.advance(CACHE_TIMEOUT_MS)
  expect(await asked).toEqual(['created'])
  expect(cache.calls.filter((call) => call === 'read')).toHaveLength(1)
})

test('entries for a frozen cache are dropped beyond a limit, and written when it responds again', async () => {
  const { replica, cache, clock } = setUp()
  const one = replica()
  await one.leases.renewed('c')
  cache.state = 'frozen'
  const many = Array.from({ length: 1_000 }, (_, n) => `item ${n}`)
  const writing = Array.from({ length: 20 }, (_, n) => one.puts([unit(...many.map((name) => `${name}.${n}`))], 5))
  await clock.advance(CACHE_TIMEOUT_MS)
  await Promise.all(writing)
  expect(await one.counted('ingot_cache_dropped_total{reason="overflow"}')).toBe(4_000)
  expect(cache.facts.size).toBe(0)
})

test('if nothing is found, most batches skip the cache, and it is tried again from time to time', async () => {
  const { replica, cache, settle, clock } = setUp()
  const one = replica()
  await one.leases.renewed('c')
  const batch = (n: number) => Array.from({ length: 500 }, (_, i) => `${n}.${i}`)
  for (let n = 0; n < 20; n++) await one.putNow(...batch(n))
  expect(cache.calls.filter((call) => call === 'read').length).toBeLessThan(8)
  for (let n = 0; n < 10; n++) await settle()
  await clock.advance(1)
  const answers: string[] = []
  for (let n = 0; n < 20; n++) {
    await one.leases.renewed('c')
    answers.push(...(await one.putNow(...batch(n).slice(0, 300))))
  }
  expect(answers.slice(-3_000).every((answer) => answer === 'cache')).toBe(true)
})

test('a store that returns fewer outcomes than units causes an error', async () => {
  const { replica, over } = setUp()
  over.put = async () => []
  await expect(replica().put('a')).rejects.toMatchObject({ code: 'INTERNAL' })
})
