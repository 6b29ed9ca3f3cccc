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
  /** Units that came to the store. */
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
    const leases = createVersionLeases({ store, clock, log: silentLog, notes: guarded })
    const writes = createCacheWrites({ cache: guarded, leases, clock, measures })
    const cached = withCache({ store, cache: guarded, leases, writes, measures })
    return {
      leases,
      /** What became of each value, under a lease of now. */
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
  /** Until what was committed has been written. */
  const settle = () => clock.advance(100)
  return { clock, cache, store, inner, over, puts, replica, settle }
}

const text = async (metrics: ReturnType<typeof createMetrics>): Promise<string> => (await metrics.render()).body

const unit = (...values: unknown[]): Unit => ({
  collection: { name: 'c', policy: { kind: 'json' } },
  items: values.map((value) => item(value)),
})

test('what one replica committed, another answers without the store', async () => {
  const { replica, settle, puts } = setUp()
  expect(await replica().put('a', 'b')).toEqual(['created', 'created'])
  await settle()
  puts.length = 0
  const other = replica()
  expect(await other.put('a', 'b')).toEqual(['cache', 'cache'])
  expect(puts).toEqual([])
  expect(await other.counted('ingot_cache_lookups_total{result="hit"}')).toBe(2)
})

test('only what is left goes to the store, and every answer finds its item', async () => {
  const { replica, settle, puts } = setUp()
  await replica().put('a', 'c')
  await settle()
  puts.length = 0
  expect(await replica().put('new', 'a', 'newer', 'c')).toEqual(['created', 'cache', 'created', 'cache'])
  expect(puts).toEqual([unit('new', 'newer')])
})

test('a batch asks the cache once, and its commit writes once', async () => {
  const { replica, settle, cache } = setUp()
  const one = replica()
  await one.leases.renewed('c')
  cache.calls.length = 0
  await one.puts([unit('a'), unit('b'), unit('d', 'e')], 5)
  await settle()
  expect(cache.calls).toEqual(['read', 'note', 'write'])
})

test('a unit under an Idempotency-Key goes to the store whole', async () => {
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

test('nothing is written before it is committed, nor when the commit failed', async () => {
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

test('nothing is written until the past has been noted that was asked for after the commit', async () => {
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

test('what was committed in another epoch than the one of now is not written', async () => {
  const { replica, settle, cache, inner } = setUp()
  const one = replica()
  await one.put('a')
  await inner.beginEpoch()
  await settle()
  expect(cache.facts.size).toBe(0)
  expect(await one.counted('ingot_cache_dropped_total{reason="unconfirmed"}')).toBe(1)
})

test('no entry of another epoch is believed', async () => {
  const { replica, settle, inner } = setUp()
  await replica().put('a')
  await settle()
  await inner.beginEpoch()
  const other = replica()
  expect(await other.put('a')).toEqual(['store'])
  expect(await other.counted('ingot_cache_lookups_total{result="disbelieved"}')).toBe(1)
})

test('no entry from before a deletion is believed, and none that is written late', async () => {
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

test('no entry is believed that lies beyond the history of the lease', async () => {
  const { replica, settle, cache } = setUp()
  await replica().put('a')
  await settle()
  for (const [name, fact] of cache.facts) cache.facts.set(name, { ...fact, position: fact.position + 1n })
  expect(await replica().put('a')).toEqual(['store'])
})

test('no entry is believed once the lease has run out while the cache was asked', async () => {
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

test('a cache that is away costs nothing but a look in the store, and then is left alone', async () => {
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

test('a frozen cache keeps a batch waiting for its time-out, and only until the breaker opens', async () => {
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

test('what waited behind a batch that a frozen cache kept does not wait for it again', async () => {
  const { clock, cache, replica } = setUp()
  const one = replica()
  await one.put('before')
  cache.state = 'frozen'
  const kept = one.putNow('a')
  await clock.advance(CACHE_TIMEOUT_MS)
  expect(await kept).toEqual(['created'])
  // no time passes here: it would never be answered if it asked
  expect(await one.putNow('b')).toEqual(['created'])
  cache.calls.length = 0
  await clock.advance(CACHE_TIMEOUT_MS)
  const asked = one.putNow('c')
  await clock.advance(CACHE_TIMEOUT_MS)
  expect(await asked).toEqual(['created'])
  expect(cache.calls.filter((call) => call === 'read')).toHaveLength(1)
})

test('what a frozen cache would take is dropped beyond a bound, and written when it is back', async () => {
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

test('where nothing is found most batches do not ask, and the cache is tried again', async () => {
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

test('a store that answers for fewer units than it got is not covered up', async () => {
  const { replica, over } = setUp()
  over.put = async () => []
  await expect(replica().put('a')).rejects.toMatchObject({ code: 'INTERNAL' })
})
