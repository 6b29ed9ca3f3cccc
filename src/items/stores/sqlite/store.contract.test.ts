import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../../testing/folder.ts'
import { item, storeContract } from '../../contract.ts'
import { openSqliteStore } from './store.ts'

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
