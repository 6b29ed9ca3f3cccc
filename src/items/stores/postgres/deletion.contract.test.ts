import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { unexplained } from '../../../testing/deletion/atomic.ts'
import { runDeletionLoad } from '../../../testing/deletion/load.ts'
import { type PostgresServer, runSql, startPostgres } from '../../../testing/postgres/server.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { item } from '../../contract.ts'
import { openPostgresStore } from './store.ts'
import { verifyPostgres } from './verify.ts'

let server: PostgresServer | Absent
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

const things = { name: 'things', policy: { kind: 'json' } } as const

test('two replicas save, delete and purge at the same time: each deletion takes effect at one moment', async ({
  skip,
}) => {
  const url = await present(server, skip).database()
  await using one = await openPostgresStore({ url })
  await using other = await openPostgresStore({ url })
  const { history, final } = await runDeletionLoad({
    stores: [one, other],
    deletions: 12,
    clients: 8,
    saves: 80,
    contents: 120,
    random: Math.random,
  })
  expect(history.filter(({ kind }) => kind === 'deletion').length).toBeGreaterThan(5)
  expect(unexplained(history, final)).toEqual([])
  const rows = await runSql(url, 'SELECT count(*)::int AS n FROM ingot_items')
  expect(rows).toEqual([{ n: final.size }])
})

test('verify does not report items that a purge has not removed yet', async ({ skip }) => {
  const url = await present(server, skip).database()
  await using store = await openPostgresStore({ url })
  await store.put([{ collection: things, items: [item(1), item(2)] }], 1)
  await store.deleteCollection('things', 2)
  await store.put([{ collection: things, items: [item(1)] }], 3)
  const options = { url, clock: systemClock, signal: new AbortController().signal }
  expect(await verifyPostgres(options)).toMatchObject({ problems: [], collections: new Map([['things', 1]]) })
  await runSql(url, 'DELETE FROM ingot_deletions')
  expect((await verifyPostgres(options)).problems).toHaveLength(2)
})

test('refuses to purge a number that a collection has', async ({ skip }) => {
  const url = await present(server, skip).database()
  await using store = await openPostgresStore({ url })
  await store.put([{ collection: things, items: [item(1)] }], 1)
  await store.deleteCollection('things', 2)
  await store.put([{ collection: things, items: [item(2)] }], 3)
  await runSql(url, 'UPDATE ingot_deletions SET collection = (SELECT id FROM ingot_collections)')
  await expect(store.purge(4)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  expect((await store.list('things', { limit: 9 })).items).toHaveLength(1)
})
