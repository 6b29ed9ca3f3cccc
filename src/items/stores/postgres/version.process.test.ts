import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type PostgresServer, runSql, startPostgres } from '../../../testing/postgres/server.ts'
import { spareServer } from '../../../testing/postgres/spare.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { item } from '../../contract.ts'
import type { ItemStore, Unit } from '../../store.ts'
import { type StoreVersion, sameTimeline } from '../../store-version.ts'
import { openPostgresStore } from './store.ts'

let server: PostgresServer | Absent
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

const collection = { name: 'things', policy: { kind: 'json' } } as const
const unit = (value: unknown): Unit => ({ collection, items: [item(value)] })

async function open(url: string): Promise<ItemStore> {
  const store = await openPostgresStore({ url })
  onTestFinished(() => store[Symbol.asyncDispose]())
  return store
}

/** The version that a cache would use: read after the item was committed. */
async function pastAfter(url: string, value: unknown): Promise<StoreVersion> {
  await using store = await openPostgresStore({ url })
  await store.put([unit(value)], 1)
  return await store.version('things')
}

async function pastOf(url: string): Promise<StoreVersion> {
  await using store = await openPostgresStore({ url })
  return await store.version('things')
}

async function isLost(url: string, value: unknown): Promise<boolean> {
  const store = await open(url)
  return (await store.get('things', item(value).id)) === undefined
}

test('ten concurrent reads agree on the epoch, also later', async ({ skip }) => {
  const url = await present(server, skip).database()
  const stores = await Promise.all(Array.from({ length: 10 }, () => open(url)))
  const epochs = new Set((await Promise.all(stores.map((store) => store.version('things')))).map(({ epoch }) => epoch))
  expect(epochs.size).toBe(1)
  const [begun] = await Promise.all([stores[0]?.beginEpoch(), stores[1]?.version('things')])
  for (const store of stores) expect((await store.version('things')).epoch).toBe(begun)
})

test('every start of the server begins an epoch', async ({ skip }) => {
  const postgres = present(server, skip)
  const url = await postgres.database()
  const before = await pastAfter(url, 'kept')
  expect(sameTimeline(before, await pastOf(url))).toBe(true)
  await postgres.kill()
  await postgres.start()
  expect((await pastOf(url)).epoch).not.toBe(before.epoch)
})

test('a restored copy of the files has another version, even if its log has overtaken the lost one', async ({
  skip,
}) => {
  const { url, run, ...server2 } = await spareServer(present(server, skip), '/tmp/restored')
  await server2.start()
  await pastAfter(url, 'in the copy')
  await server2.stop()
  await run('cp', '-r', '/tmp/restored', '/tmp/restored-copy')
  await server2.start()
  const before = await pastAfter(url, 'after the copy')
  await server2.stop()
  await server2.start('/tmp/restored-copy')
  await runSql(url, "CREATE TABLE filler AS SELECT repeat('x', 1000) AS x FROM generate_series(1, 20000)")
  const after = await pastOf(url)
  expect(after.position > before.position).toBe(true)
  expect(sameTimeline(before, after)).toBe(false)
  expect(await isLost(url, 'after the copy')).toBe(true)
  await server2.stop('/tmp/restored-copy')
})

test('a promoted replica that lags has another version, and a second one has a third', async ({ skip }) => {
  const { url, ...server2 } = await spareServer(present(server, skip), '/tmp/primary')
  await server2.start()
  await pastAfter(url, 'on all')
  await server2.replica('/tmp/primary-one')
  await server2.replica('/tmp/primary-two')
  const before = await pastAfter(url, 'on the primary')
  await server2.stop()

  await server2.start('/tmp/primary-one')
  await expect(openPostgresStore({ url })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('standby') as string,
  })
  await server2.promote('/tmp/primary-one')
  const one = await pastAfter(url, 'on one')
  await server2.stop('/tmp/primary-one')

  await server2.start('/tmp/primary-two')
  await server2.promote('/tmp/primary-two')
  const two = await pastOf(url)
  expect(await isLost(url, 'on the primary')).toBe(true)
  expect(await isLost(url, 'on one')).toBe(true)
  await server2.stop('/tmp/primary-two')
  expect(new Set([before.epoch, one.epoch, two.epoch]).size).toBe(3)
})

test('a dump restored into the same database has another version', async ({ skip }) => {
  const postgres = present(server, skip)
  const url = await postgres.database()
  const name = new URL(url).pathname.slice(1)
  await pastAfter(url, 'in the dump')
  await postgres.exec('pg_dump', '-U', 'postgres', '-Fc', '-f', '/tmp/dump', name)
  const before = await pastAfter(url, 'after the dump')
  await runSql(url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  await postgres.exec('pg_restore', '-U', 'postgres', '-d', name, '/tmp/dump')
  expect(sameTimeline(before, await pastOf(url))).toBe(false)
  expect(await isLost(url, 'after the dump')).toBe(true)
  expect(await isLost(url, 'in the dump')).toBe(false)
  // its places continue after the earlier ones
  await pastAfter(url, 'later')
  await using store = await openPostgresStore({ url })
  const { items } = await store.list('things', { limit: 10 })
  expect(items.map(({ id }) => id)).toEqual([item('in the dump').id, item('later').id])
})

test('rows restored by hand need a new epoch, which no earlier one equals', async ({ skip }) => {
  const postgres = present(server, skip)
  const url = await postgres.database()
  const name = new URL(url).pathname.slice(1)
  const tables = ['ingot_collections', 'ingot_items', 'ingot_receipts', 'ingot_epoch']
  const first = await pastAfter(url, 'in the dump')
  await postgres.exec('pg_dump', '-U', 'postgres', '-Fc', '--data-only', '-f', '/tmp/rows', name)
  await using store = await openPostgresStore({ url })
  const second = await store.beginEpoch()
  await runSql(url, `DELETE FROM ${tables.join('; DELETE FROM ')}; DELETE FROM ingot_migrations`)
  await postgres.exec('pg_restore', '-U', 'postgres', '--data-only', '-d', name, '/tmp/rows')
  const third = await store.beginEpoch()
  expect(new Set([first.epoch, second, third]).size).toBe(3)
  expect((await store.version('things')).epoch).toBe(third)
})
