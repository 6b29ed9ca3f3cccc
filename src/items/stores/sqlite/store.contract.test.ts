import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { unexplained } from '../../../testing/deletion/atomic.ts'
import { runDeletionLoad } from '../../../testing/deletion/load.ts'
import { temporaryFolder } from '../../../testing/folder.ts'
import { item, storeContract } from '../../contract.ts'
import type { ItemStore } from '../../store.ts'
import { collectionChecksum } from './collections.ts'
import { openSqliteStore } from './store.ts'
import { verifyFolder } from './verify.ts'

const root = temporaryFolder()
let folders = 0
const newFolder = (): string => join(root, `store-${++folders}`)

storeContract('sqlite', () => openSqliteStore(newFolder()))

const collection = { name: 'things', policy: { kind: 'json' } } as const

test('has the same data after reopening', async () => {
  const folder = newFolder()
  {
    await using store = await openSqliteStore(folder)
    await store.put([{ collection, items: [item('kept')] }], 5)
  }
  await using store = await openSqliteStore(folder)
  expect(await store.get('things', item('kept').id)).toMatchObject({ firstSeenMs: 5 })
  expect(await store.put([{ collection, items: [item('kept'), item('new')] }], 9)).toMatchObject([
    { outcomes: [{ kind: 'duplicate', firstSeenMs: 5 }, { kind: 'created' }] },
  ])
})

test('does not assign the place of a deleted item again after reopening', async () => {
  const folder = newFolder()
  let cursor: string
  {
    await using store = await openSqliteStore(folder)
    await store.put([{ collection, items: [item(1), item(2), item(3)] }], 5)
    cursor = (await store.list('things', { limit: 2 })).next ?? ''
    await store.delete('things', item(3).id)
    await store.delete('things', item(2).id)
  }
  await using store = await openSqliteStore(folder)
  await store.put([{ collection, items: [item(4)] }], 6)
  expect((await store.list('things', { limit: 2, after: cursor })).items).toHaveLength(1)
})

test('reports that the folder cannot be created', async () => {
  const file = join(root, 'a-file')
  writeFileSync(file, '')
  for (const folder of [file, join(file, 'below')]) {
    await expect(openSqliteStore(folder)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(`INGOT_DATA: cannot create a data folder at "${folder}"`) as string,
    })
  }
})

test('refuses a folder that is in use, and names the process', async () => {
  const folder = newFolder()
  await using held = await openSqliteStore(folder)
  await held.check()
  await expect(openSqliteStore(folder)).rejects.toMatchObject({
    code: 'STORE_LOCKED',
    message: expect.stringContaining(`process ${process.pid}`) as string,
  })
})

test('refuses a file of another program', async () => {
  const folder = newFolder()
  {
    await using made = await openSqliteStore(folder)
    await made.check()
  }
  const db = new DatabaseSync(join(folder, 'items.sqlite'))
  db.exec('PRAGMA application_id = 7')
  db.close()
  await expect(openSqliteStore(folder)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
})

test('refuses data of a newer version', async () => {
  const folder = newFolder()
  {
    await using made = await openSqliteStore(folder)
    await made.check()
  }
  const db = new DatabaseSync(join(folder, 'items.sqlite'))
  db.exec('PRAGMA user_version = 99')
  db.close()
  await expect(openSqliteStore(folder)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
})

test('saves, deletions and purges at the same time: each deletion takes effect at one moment', async () => {
  await using store = await openSqliteStore(newFolder())
  const sizes = { deletions: 12, clients: 8, saves: 80, contents: 120, random: Math.random }
  const { history, final } = await runDeletionLoad({ stores: [store], ...sizes })
  expect(history.filter(({ kind }) => kind === 'deletion').length).toBeGreaterThan(5)
  expect(unexplained(history, final)).toEqual([])
})

test('verify finds nothing wrong before, during and after a purge', async () => {
  const folder = newFolder()
  const verify = () => verifyFolder(folder, { clock: systemClock, signal: new AbortController().signal })
  const sound = (items: number) => ({ problems: [], collections: new Map([['things', items]]) })
  const run = async (work: (store: ItemStore) => Promise<unknown>): Promise<void> => {
    await using store = await openSqliteStore(folder)
    await work(store)
  }
  const items = Array.from({ length: 1_200 }, (_, n) => item(n))
  await run(async (store) => {
    await store.put([{ collection, items }], 1)
    for (const n of [0, 5, 6, 1_199]) await store.delete('things', item(n).id)
    await store.deleteCollection('things', 2)
    await store.put([{ collection, items: [item(3), item('new')] }], 3)
  })
  expect(await verify()).toMatchObject(sound(2))
  await run((store) => store.purge(4))
  expect(await verify()).toMatchObject(sound(2))
  await run(async (store) => {
    for (let open = 1; open > 0; ) ({ open } = await store.purge(5))
    expect(await store.deletion('things', '1')).toMatchObject({ deletedItems: 1_196, endedMs: 5 })
  })
  expect(await verify()).toMatchObject(sound(2))
  const db = new DatabaseSync(join(folder, 'items.sqlite'))
  expect(db.prepare('SELECT name FROM collections').all()).toEqual([{ name: 'things' }])
  expect(db.prepare('SELECT count(*) AS n FROM gaps').get()).toEqual({ n: 0 })
  db.close()
})

test('refuses to purge a collection that was not deleted', async () => {
  const folder = newFolder()
  {
    await using made = await openSqliteStore(folder)
    await made.put([{ collection, items: [item(1)] }], 1)
    await made.deleteCollection('things', 2)
    await made.put([{ collection, items: [item(2)] }], 3)
  }
  const db = new DatabaseSync(join(folder, 'items.sqlite'))
  db.exec("UPDATE deletions SET collection = (SELECT id FROM collections WHERE name = 'things')")
  db.close()
  await using store = await openSqliteStore(folder)
  await expect(store.purge(4)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  expect((await store.list('things', { limit: 9 })).items).toHaveLength(1)
})

test('uses the numbers of deleted collections again at the end of the range', async () => {
  const folder = newFolder()
  const other = { name: 'other', policy: { kind: 'json' } } as const
  {
    await using made = await openSqliteStore(folder)
    await made.put([{ collection: { ...other, name: 'first' }, items: [item(0)] }], 1)
    await made.put([{ collection, items: [item(1)] }], 1)
    await made.deleteCollection('things', 2)
    for (let open = 1; open > 0; ) ({ open } = await made.purge(3))
  }
  const db = new DatabaseSync(join(folder, 'items.sqlite'))
  db.exec("INSERT INTO collections (id, name, policy, last_place) VALUES (1048575, 'last', '', 0)")
  const ids = () => db.prepare("SELECT id FROM collections WHERE name = 'other'").get()
  const row = { id: 1_048_575, name: 'last', policy: '', lastPlace: 0, checkedFrom: 0, deletes: 0 }
  db.prepare('UPDATE collections SET checksum = ? WHERE id = 1048575').run(collectionChecksum(row))
  await using store = await openSqliteStore(folder)
  await store.put([{ collection: other, items: [item(1)] }], 1)
  expect(ids()).toEqual({ id: 2 })
  expect((await store.list('other', { limit: 9, after: String(5 * 2 ** 33 + 7) })).items).toHaveLength(1)
  db.close()
})
