import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PostgresServer, runSql, startPostgres } from '../../../testing/postgres/server.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { type Migration, migrate, readMigrations } from './migrate.ts'
import { openPostgresStore } from './store.ts'

let server: PostgresServer | Absent
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

async function withMore(...sql: readonly string[]): Promise<readonly Migration[]> {
  const known = await readMigrations()
  const more = sql.map((text, index): Migration => {
    const version = known.length + index + 1
    return { version, name: `${String(version).padStart(4, '0')}-more.sql`, sql: text, checksum: text }
  })
  return [...known, ...more]
}

test('ten concurrent starts migrate once', async ({ skip }) => {
  const url = await present(server, skip).database()
  const reports = await Promise.all(Array.from({ length: 10 }, () => migrate({ url })))
  const names = (await readMigrations()).map(({ name }) => name)
  expect(reports.filter((report) => report.applied.length > 0).map(({ applied }) => applied)).toEqual([names])
  expect(await runSql(url, 'SELECT name FROM ingot_migrations ORDER BY version')).toEqual(
    names.map((name) => ({ name })),
  )
})

test('ten services that start concurrently all serve', async ({ skip }) => {
  const url = await present(server, skip).database()
  const stores = await Promise.all(Array.from({ length: 10 }, () => openPostgresStore({ url })))
  for (const store of stores) await store.check()
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()))
})

test('applies missing migrations in order, each once', async ({ skip }) => {
  const url = await present(server, skip).database()
  await migrate({ url })
  const migrations = await withMore('CREATE TABLE one (n int)', 'ALTER TABLE one ADD COLUMN m int')
  expect((await migrate({ url, migrations })).applied).toHaveLength(2)
  expect((await migrate({ url, migrations })).applied).toEqual([])
})

test('a failed migration changes nothing, and neither do the ones before it', async ({ skip }) => {
  const url = await present(server, skip).database()
  const migrations = await withMore('CREATE TABLE one (n int)', 'CREATE TABLE one (n int)')
  await expect(migrate({ url, migrations })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('already exists') as string,
  })
  const left = "SELECT count(*)::int AS n FROM pg_tables WHERE tablename IN ('one', 'ingot_items', 'ingot_migrations')"
  expect(await runSql(url, left)).toEqual([{ n: 0 }])
  expect((await migrate({ url })).applied).not.toEqual([])
})

test('refuses a database of a newer version, or with other migrations', async ({ skip }) => {
  const url = await present(server, skip).database()
  await migrate({ url, migrations: await withMore('SELECT 1') })
  const ahead = { code: 'STORE_SHAPE_UNKNOWN', message: expect.stringContaining('-more.sql') as string }
  await expect(migrate({ url })).rejects.toMatchObject(ahead)
  await expect(openPostgresStore({ url })).rejects.toMatchObject(ahead)
  await runSql(url, "DELETE FROM ingot_migrations WHERE name ~ 'more'; UPDATE ingot_migrations SET checksum = 'x'")
  await expect(migrate({ url })).rejects.toMatchObject({
    code: 'STORE_SHAPE_UNKNOWN',
    message: expect.stringContaining('differs from the one') as string,
  })
})

test('a role without the right to create can start on an up-to-date database', async ({ skip }) => {
  const url = await present(server, skip).database()
  await migrate({ url })
  await runSql(
    url,
    `CREATE ROLE service LOGIN PASSWORD 'service';
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO service;
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO service`,
  )
  const asService = Object.assign(new URL(url), { username: 'service', password: 'service' }).href
  await using store = await openPostgresStore({ url: asService })
  await store.put([{ collection: { name: 'things', policy: { kind: 'json' } }, items: [] }], 1)
  await store.check()
  expect((await store.version('things')).deletes).toBe(0)
})

test('stops waiting for another migration after its time limit', async ({ skip }) => {
  const url = await present(server, skip).database()
  const holder = runSql(url, 'BEGIN; SELECT pg_advisory_xact_lock(1768843119, -1); SELECT pg_sleep(2); COMMIT')
  await new Promise((resolve) => setTimeout(resolve, 500))
  await expect(migrate({ url, timeoutMs: 300 })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await holder
  expect((await migrate({ url })).applied).not.toEqual([])
})
