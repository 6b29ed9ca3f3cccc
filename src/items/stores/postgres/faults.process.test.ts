import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { type PostgresServer, runSql, startPostgres } from '../../../testing/postgres/server.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { startTcpProxy } from '../../../testing/tcp/proxy.ts'
import { item } from '../../contract.ts'
import type { ItemStore, Unit } from '../../store.ts'
import { openPostgresStore } from './store.ts'

let server: PostgresServer | Absent
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

const collection = { name: 'things', policy: { kind: 'json' } } as const
const unit = (...values: readonly unknown[]): Unit => ({ collection, items: values.map((value) => item(value)) })
const CLAIM = {
  scope: 'tester',
  key: 'key',
  fingerprint: 'f',
  expiresAtMs: 1_000,
  form: { kind: 'single', slots: [{ kind: 'item', at: 0, repeat: false }] },
} as const
const UNAVAILABLE = { code: 'STORE_UNAVAILABLE' }
const TIMEOUT_MS = 1_000
/** The deadline of a statement, the client's grace time, and a second for a busy machine. */
const PATIENCE_MS = TIMEOUT_MS + 1_000 + 1_000

async function until(reached: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!(await reached())) {
    if (performance.now() > deadline) throw new Error('not reached within 30 s')
    await systemClock.sleep(50)
  }
}

const untilServed = (store: ItemStore): Promise<void> =>
  until(() =>
    store.check().then(
      () => true,
      () => false,
    ),
  )

async function expectQuick(outcome: Promise<unknown>): Promise<void> {
  const from = performance.now()
  await expect(outcome).rejects.toMatchObject(UNAVAILABLE)
  expect(performance.now() - from).toBeLessThan(PATIENCE_MS)
}

test('loses nothing acknowledged when Postgres is killed during puts, and recovers by itself', async ({ skip }) => {
  const postgres = present(server, skip)
  const url = await postgres.database()
  await using store = await openPostgresStore({ url, timeoutMs: TIMEOUT_MS })
  const acknowledged = new Set<string>()
  let refused = 0
  const stop = new AbortController()
  async function write(name: number): Promise<void> {
    for (let n = 0; !stop.signal.aborted; n++) {
      const sent = unit(...Array.from({ length: 50 }, (_, at) => [name, n, at]))
      try {
        await store.put([sent], n)
        for (const one of sent.items) acknowledged.add(one.id)
      } catch (failure) {
        expect(failure).toMatchObject(UNAVAILABLE)
        refused++
        await systemClock.sleep(20)
      }
    }
  }
  const writers = [1, 2, 3, 4].map(write)
  for (let round = 0; round < 3; round++) {
    const before = acknowledged.size
    await until(() => acknowledged.size > before)
    await postgres.kill()
    await postgres.start()
  }
  const before = acknowledged.size
  await until(() => acknowledged.size > before)
  stop.abort()
  await Promise.all(writers)
  expect(refused).toBeGreaterThan(0)
  const stored = await runSql(url, "SELECT encode(substring(id from 3), 'hex') AS id FROM ingot_items")
  const ids = new Set(stored.map(({ id }) => `j1-${String(id)}`))
  expect(ids.size).toBe(stored.length)
  expect([...acknowledged].filter((id) => !ids.has(id))).toEqual([])
})

test('nothing hangs while Postgres is frozen, and everything works after it resumes', async ({ skip }) => {
  const postgres = present(server, skip)
  const url = await postgres.database()
  await using store = await openPostgresStore({ url, timeoutMs: TIMEOUT_MS })
  await store.put([unit('before')], 1)
  await using frozen = await freeze(postgres)
  await Promise.all([
    expectQuick(store.put([unit('frozen')], 1)),
    expectQuick(store.put([{ ...unit('kept'), idempotency: CLAIM }], 1)),
    expectQuick(store.get('things', item('before').id)),
    expectQuick(store.list('things', { limit: 10 })),
    expectQuick(store.delete('things', item('absent').id)),
    expectQuick(store.version('things')),
  ])
  // by now no connection is left, and none can be opened
  await Promise.all([expectQuick(store.put([unit('frozen')], 1)), expectQuick(store.check())])
  await frozen.thaw()
  await untilServed(store)
  expect(await store.put([unit('before', 'frozen', 'kept')], 2)).toMatchObject([
    { outcomes: [{ kind: 'duplicate', firstSeenMs: 1 }, {}, {}] },
  ])
})

test('opening and closing do not wait for a frozen Postgres', async ({ skip }) => {
  const postgres = present(server, skip)
  const url = await postgres.database()
  const store = await openPostgresStore({ url, timeoutMs: TIMEOUT_MS })
  await Promise.all([store.check(), store.put([unit('before')], 1)])
  await using frozen = await freeze(postgres)
  const from = performance.now()
  await store[Symbol.asyncDispose]()
  expect(performance.now() - from).toBeLessThan(5_000)
  await expect(openPostgresStore({ url })).rejects.toMatchObject(UNAVAILABLE)
  expect(performance.now() - from).toBeLessThan(15_000)
  await frozen.thaw()
})

test('a commit whose reply is lost has an unknown outcome, and is found when repeated', async ({ skip }) => {
  const postgres = present(server, skip)
  const url = new URL(await postgres.database())
  await using proxy = await startTcpProxy(postgres.port)
  url.host = `127.0.0.1:${proxy.port}`
  await using store = await openPostgresStore({ url: url.href, timeoutMs: TIMEOUT_MS })
  await store.put([unit('before')], 1)
  proxy.swallowReplies()
  await expectQuick(store.put([unit('unknown')], 1))
  proxy.restore()
  expect(await store.put([unit('unknown')], 2)).toMatchObject([{ outcomes: [{ kind: 'duplicate', firstSeenMs: 1 }] }])
})

test('each cut connection causes at most one failure', async ({ skip }) => {
  const postgres = present(server, skip)
  const url = await postgres.database()
  await using store = await openPostgresStore({ url, timeoutMs: TIMEOUT_MS })
  await store.put([unit('before')], 1)
  const others = 'pid <> pg_backend_pid() AND datname = current_database()'
  await runSql(url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${others}`)
  await store.put([unit('after')], 1).catch(() => {})
  expect(await store.put([unit('later')], 1)).toMatchObject([{ outcomes: [{ kind: 'created' }] }])
})

test('a full disk refuses only items that do not fit', async ({ skip }) => {
  present(server, skip)
  await using small = present(await startPostgres({ smallDisk: { folder: '/small', megabytes: 24 } }), skip)
  await runSql(small.url, "CREATE TABLESPACE small LOCATION '/small'")
  await runSql(small.url, 'CREATE DATABASE small TABLESPACE small')
  const url = Object.assign(new URL(small.url), { pathname: '/small' }).href
  await using store = await openPostgresStore({ url, timeoutMs: TIMEOUT_MS })
  // random text, which the server cannot compress
  const filler = (n: number): Unit => unit({ n, random: randomBytes(700_000).toString('hex') })
  const sent: Unit[] = []
  let failure: unknown
  while (failure === undefined && sent.length < 40) {
    const next = filler(sent.length)
    try {
      await store.put([next], 1)
      sent.push(next)
    } catch (thrown) {
      failure = thrown
    }
  }
  expect(failure).toMatchObject({ ...UNAVAILABLE, facts: { sqlstate: '53100' } })
  const page = await store.list('things', { limit: 100 })
  expect(page.items.map((one) => one.id)).toEqual(sent.slice(0, page.items.length).flatMap(({ items }) => items[0]?.id))
  for (const one of sent.flatMap(({ items }) => items)) expect(await store.get('things', one.id)).toBeDefined()
})

interface Frozen extends AsyncDisposable {
  thaw(): Promise<void>
}

async function freeze(postgres: PostgresServer): Promise<Frozen> {
  await postgres.freeze()
  let thawing: Promise<void> | undefined
  const thaw = (): Promise<void> => (thawing ??= postgres.thaw())
  return { thaw, [Symbol.asyncDispose]: thaw }
}
