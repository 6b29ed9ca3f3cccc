/**
 * Replicas with a shared cache, as processes: the effect of a cache that fails, and of one whose store goes back in
 * time.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { FailpointName } from '../std/failpoint.ts'
import { temporaryFolder } from '../testing/folder.ts'
import { ask, jsonOf } from '../testing/http/requests.ts'
import { type PostgresServer, runSql, startPostgres } from '../testing/postgres/server.ts'
import { spareServer } from '../testing/postgres/spare.ts'
import { type Absent, present } from '../testing/present.ts'
import { type RedisServers, startStandalone } from '../testing/redis/servers.ts'
import { type Service, spawnService, startService, within } from '../testing/service.ts'
import { startTcpProxy } from '../testing/tcp/proxy.ts'

const root = temporaryFolder()
let folders = 0

let servers: { readonly postgres: PostgresServer | Absent; readonly redis: RedisServers | Absent }
beforeAll(async () => {
  const [postgres, redis] = await Promise.all([startPostgres(), startStandalone()])
  servers = { postgres, redis }
})
afterAll(async () => {
  for (const server of Object.values(servers)) if (!('absent' in server)) await server[Symbol.asyncDispose]()
})
beforeEach(async () => {
  if (!('absent' in servers.redis)) await servers.redis.cli(servers.redis.ports[0] ?? 0, 'flushall')
})

type Env = Readonly<Record<string, string>>

/** Starts a replica without ids in its own memory, so that it reads the cache whenever it may. */
async function replica(env: Env, failpoints: readonly FailpointName[] = []): Promise<Service> {
  const service = await startService({
    data: join(root, String(++folders)),
    env: { INGOT_RECENT_ITEMS: '0', ...env },
    failpoints,
  })
  onTestFinished(async () => void (await service.kill()))
  return service
}

interface Result {
  readonly status: string
  readonly foundBy?: string
}

/** Returns the outcome of each value of one batch. Fails the test if an item has no outcome. */
async function send({ url }: Service, values: readonly string[]): Promise<readonly string[]> {
  const answer = await ask(`${url}/v1/collections/things/items:batch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(values),
  })
  expect(answer.status, answer.body.toString()).toBeLessThan(300)
  const { items } = jsonOf<{ items: Result[] }>(answer)
  return items.map(({ status, foundBy }) => foundBy ?? status)
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 20_000
  while (!(await check())) {
    if (performance.now() > endMs) throw new Error(`${what} did not happen`)
    await sleep(100)
  }
}

/** Waits until the replica finds all of them in the cache. */
const cached = (service: Service, values: readonly string[]): Promise<void> =>
  until('the cache knows all values', async () => (await send(service, values)).every((one) => one === 'cache'))

const ready = ({ url }: Service): Promise<void> =>
  until('a ready store', async () => (await ask(`${url}/readyz`)).status === 200)

async function metric({ url }: Service, name: string): Promise<number> {
  const { body } = await ask(`${url}/metrics`)
  const line = body
    .toString()
    .split('\n')
    .find((one) => one.startsWith(`${name} `))
  return Number(line?.slice(name.length) ?? 0)
}

const KEPT = ['kept 1', 'kept 2']
const LOST = Array.from({ length: 30 }, (_, n) => `lost ${n}`)
/** Longer than any version lease, in milliseconds. */
const LEASE_OVER_MS = 2_100

interface Scene {
  readonly url: string
  readonly redis: RedisServers
  /** Marks the state to go back to. Everything after it will be lost. */
  readonly keep: () => Promise<void>
  /** Restores that state. */
  readonly goBack: () => Promise<void>
}

/** Asserts that lost items are created again, once, on every replica, whatever the cache still contains. */
async function lostIsCreatedAgain({ url, redis, keep, goBack }: Scene): Promise<void> {
  const env = { INGOT_STORE_URL: url, INGOT_CACHE_URL: redis.url }
  const [one, other] = await Promise.all([replica(env), replica(env)])
  expect(await send(one, KEPT)).toEqual(['created', 'created'])
  await keep()
  await Promise.all([one, other].map(ready))
  expect(await send(one, LOST)).toEqual(LOST.map(() => 'created'))
  await cached(other, LOST)
  await goBack()
  expect(Number(await redis.cli(redis.ports[0] ?? 0, 'dbsize'))).toBeGreaterThan(LOST.length)
  await sleep(LEASE_OVER_MS)
  const late = await replica(env)
  for (const [index, service] of [one, other, late].entries()) {
    await ready(service)
    const own = LOST.filter((_, n) => n % 3 === index)
    expect(await send(service, own)).toEqual(own.map(() => 'created'))
  }
  for (const service of [one, other, late]) {
    const found = await send(service, [...LOST, ...KEPT])
    expect(found.filter((how) => how !== 'store' && how !== 'cache')).toEqual([])
  }
  // the cache then serves the new epoch as it did the old one
  await cached(late, LOST)
}

const both = (skip: (reason: string) => never) => ({
  postgres: present(servers.postgres, skip),
  redis: present(servers.redis, skip),
})

describe('a cache that keeps the entries of a deleted collection', () => {
  /** Deletes a collection on one replica. Returns the outcomes of its items on the other one. */
  async function afterDeletion(skip: (reason: string) => never, failpoints: readonly FailpointName[]) {
    const { postgres, redis } = both(skip)
    const env = { INGOT_STORE_URL: await postgres.database(), INGOT_CACHE_URL: redis.url }
    const [one, other] = await Promise.all([replica(env, failpoints), replica(env, failpoints)])
    await Promise.all([one, other].map(ready))
    expect(await send(one, LOST)).toEqual(LOST.map(() => 'created'))
    await Promise.all([one, other].map((service) => cached(service, LOST)))
    const deletion = await ask(`${one.url}/v1/collections/things`, { method: 'DELETE' })
    expect(jsonOf(deletion)).toMatchObject({ state: 'complete', deletedItems: LOST.length })
    // the replica has a lease again, so it reads the cache
    await cached(other, KEPT)
    return send(other, LOST)
  }

  test('never prevents its items from being created again', async ({ skip }) => {
    expect(await afterDeletion(skip, [])).toEqual(LOST.map(() => 'created'))
  })

  test('is detected if it ignores deletions', async ({ skip }) => {
    expect(await afterDeletion(skip, ['cache/ignore-deletes'])).toContain('cache')
  })
})

describe('a cache that keeps its entries never prevents lost items from being created again', () => {
  test('when an older replica is promoted', async ({ skip }) => {
    const { postgres, redis } = both(skip)
    const { url, ...server } = await spareServer(postgres, '/tmp/promoted')
    await server.start()
    const older = '/tmp/promoted-older'
    await lostIsCreatedAgain({
      url,
      redis,
      async keep() {
        await server.replica(older)
      },
      async goBack() {
        await server.stop()
        await server.start(older)
        await server.promote(older)
      },
    })
    await server.stop(older)
  })

  test('when a copy of the files is restored', async ({ skip }) => {
    const { postgres, redis } = both(skip)
    const { url, run, ...server } = await spareServer(postgres, '/tmp/copied')
    await server.start()
    await lostIsCreatedAgain({
      url,
      redis,
      async keep() {
        await server.stop()
        await run('cp', '-r', '/tmp/copied', '/tmp/copied-then')
        await server.start()
      },
      async goBack() {
        await server.stop()
        await server.start('/tmp/copied-then')
      },
    })
    await server.stop('/tmp/copied-then')
  })

  test('when a dump is restored', async ({ skip }) => {
    const { postgres, redis } = both(skip)
    const url = await postgres.database()
    const name = new URL(url).pathname.slice(1)
    await lostIsCreatedAgain({
      url,
      redis,
      async keep() {
        await postgres.exec('pg_dump', '-U', 'postgres', '-Fc', '-f', '/tmp/whole', name)
      },
      async goBack() {
        await runSql(url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
        await postgres.exec('pg_restore', '-U', 'postgres', '-d', name, '/tmp/whole')
      },
    })
  })

  test('when only rows are restored, and `ingot epoch new` is called', async ({ skip }) => {
    const { postgres, redis } = both(skip)
    const url = await postgres.database()
    const name = new URL(url).pathname.slice(1)
    const tables = ['ingot_collections', 'ingot_items', 'ingot_receipts', 'ingot_epoch', 'ingot_migrations']
    await lostIsCreatedAgain({
      url,
      redis,
      async keep() {
        await postgres.exec('pg_dump', '-U', 'postgres', '-Fc', '--data-only', '-f', '/tmp/rows', name)
      },
      async goBack() {
        await runSql(url, `DELETE FROM ${tables.join('; DELETE FROM ')}`)
        await postgres.exec('pg_restore', '-U', 'postgres', '--data-only', '-d', name, '/tmp/rows')
        const command = spawnService({ data: root, env: { INGOT_STORE_URL: url } }, ['epoch', 'new'])
        const { code } = await within(command.ended, 20_000, () => 'ingot epoch new did not end')
        expect(code, command.stderr()).toBe(0)
      },
    })
  })
})

test('an item that one replica deleted is new to all replicas after the response', async ({ skip }) => {
  const { postgres, redis } = both(skip)
  const env = { INGOT_STORE_URL: await postgres.database(), INGOT_CACHE_URL: redis.url }
  const [one, other] = await Promise.all([replica(env), replica(env)])
  await send(one, ['gone', 'stays'])
  await cached(other, ['gone', 'stays'])
  const answer = await ask(`${one.url}/v1/collections/things/items`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '"gone"',
  })
  const { id } = jsonOf<{ id: string }>(answer)
  const gone = await ask(`${one.url}/v1/collections/things/items/${id}`, { method: 'DELETE' })
  expect(gone.status).toBe(204)
  expect(await send(other, ['gone', 'stays'])).toEqual(['created', 'store'])
})

/** Injects a failure, runs the work, and undoes the failure. */
async function meanwhile<T>(
  redis: RedisServers,
  [strike, heal]: readonly ['STOP' | 'KILL', 'CONT' | 'restart'],
  work: () => Promise<T>,
): Promise<T> {
  const port = redis.ports[0] ?? 0
  await redis.signal(port, strike)
  try {
    return await work()
  } finally {
    await (heal === 'restart' ? redis.restart(port) : redis.signal(port, heal))
  }
}

/** Prints timings for readers. A test asserts no times, because the machine is shared. */
function figures(times: Readonly<Record<string, { readonly p50Ms: number; readonly p99Ms: number }>>): void {
  for (const [name, { p50Ms, p99Ms }] of Object.entries(times)) {
    process.stderr.write(`a cache that is ${name}: p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms\n`)
  }
}

describe('clients are not affected by a cache', () => {
  /** Sends single items, some of them again, while the cache fails. Returns the slowest response times. */
  async function traffic(service: Service, count: number): Promise<{ readonly p50Ms: number; readonly p99Ms: number }> {
    const times: number[] = []
    const client = async (name: number): Promise<void> => {
      for (let n = 0; n < count; n++) {
        const begunMs = performance.now()
        const { status, body } = await ask(`${service.url}/v1/collections/things/items`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(`${name} ${Math.floor(n / 2)}`),
        })
        expect([200, 201], body.toString()).toContain(status)
        times.push(performance.now() - begunMs)
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, name) => client(name)))
    times.sort((a, b) => a - b)
    const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0
    return { p50Ms: at(0.5), p99Ms: at(0.99) }
  }

  const CLOSED = 'ingot_cache_breaker_state{state="closed"}'
  const FAILED = 'ingot_cache_errors_total{call="read",why="error"}'

  test('that is frozen, killed and restarted', async ({ skip }) => {
    const { postgres, redis } = both(skip)
    const service = await replica({ INGOT_STORE_URL: await postgres.database(), INGOT_CACHE_URL: redis.url })
    await send(service, KEPT)
    await cached(service, KEPT)
    const calm = await traffic(service, 100)
    const failedBefore = await metric(service, FAILED)
    const frozen = await meanwhile(redis, ['STOP', 'CONT'], () => traffic(service, 200))
    expect(await metric(service, CLOSED)).toBe(0)
    // each failed call delayed one batch by the timeout, and no other batch
    expect((await metric(service, FAILED)) - failedBefore).toBeLessThan(30)
    const away = await meanwhile(redis, ['KILL', 'restart'], () => traffic(service, 100))
    await send(service, KEPT)
    await cached(service, KEPT)
    figures({ calm, frozen, away })
  })

  test('that responds too late', async ({ skip }) => {
    const { postgres, redis } = both(skip)
    await using slow = await startTcpProxy(redis.ports[0] ?? 0, { delayMs: () => 150 })
    const url = `redis://127.0.0.1:${slow.port}`
    const service = await replica({ INGOT_STORE_URL: await postgres.database(), INGOT_CACHE_URL: url })
    const late = await traffic(service, 200)
    expect(await metric(service, FAILED)).toBeLessThan(30)
    figures({ late })
  })

  test('that is not available at the start, and starts later', async ({ skip }) => {
    const { postgres, redis } = both(skip)
    const env = { INGOT_STORE_URL: await postgres.database(), INGOT_CACHE_URL: redis.url }
    const service = await meanwhile(redis, ['KILL', 'restart'], () => replica(env))
    await send(service, KEPT)
    await cached(service, KEPT)
  })
})

test.each([
  ['for the embedded store', { INGOT_CACHE_URL: 'redis://127.0.0.1:6379' }, 'INGOT_CACHE_URL is set, but this store'],
  ['of an unknown kind', { INGOT_CACHE_URL: 'memcached://127.0.0.1' }, 'INGOT_CACHE_URL ("cacheUrl" in a file)'],
])('refuses a cache %s at the start', async (_what, env, reason) => {
  const service = spawnService({ data: join(root, String(++folders)), env })
  const { code } = await within(service.ended, 20_000, () => `it goes on: ${service.stdout()}`)
  expect(code).toBe(2)
  expect(service.stderr()).toContain(reason)
})
