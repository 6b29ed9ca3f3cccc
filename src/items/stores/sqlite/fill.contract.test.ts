/** Files of an older version, whose rows have no checksums. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { systemClock } from '../../../std/clock.ts'
import { untilTrue } from '../../../std/until.ts'
import { damageItemOf, JSON_COLLECTION } from '../../../testing/damage/contract.ts'
import { temporaryFolder } from '../../../testing/folder.ts'
import { DATABASE_FILE } from './database.ts'
import { openSqliteStore } from './store.ts'
import { verifyFolder } from './verify.ts'

const root = temporaryFolder()
const items = Array.from({ length: 1_200 }, (_, n) => damageItemOf(JSON_COLLECTION, `{"n": ${n}}`))
/** A place within its collection, from 1. */
const PLACE = 'place & 8589934591'
const verify = (folder: string) => verifyFolder(folder, { clock: systemClock, signal: AbortSignal.timeout(30_000) })

function withFile<T>(folder: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(folder, DATABASE_FILE))
  try {
    return work(db)
  } finally {
    db.close()
  }
}

/** A folder of the version before checksums: 1,200 items, of which the first, the tenth and the last were deleted. */
async function makeOldFolder(): Promise<string> {
  const folder = mkdtempSync(join(root, 'old-'))
  {
    await using store = await openSqliteStore(folder)
    await store.put([{ collection: JSON_COLLECTION, items }], 1)
    for (const n of [0, 9, 1_199]) await store.delete('things', items[n]?.id ?? '')
  }
  withFile(folder, (db) => {
    for (const table of ['items', 'receipts', 'collections']) db.exec(`ALTER TABLE ${table} DROP COLUMN checksum`)
    db.exec(
      'ALTER TABLE collections DROP COLUMN checked_from; DROP TABLE gaps; DROP TABLE deletions; PRAGMA user_version = 2',
    )
  })
  return folder
}

/** Resolves when every intact item has its checksum. */
async function untilFilled(folder: string): Promise<void> {
  const left = 'SELECT count(*) AS n FROM collections WHERE checked_from > id << 33'
  const isDone = async (): Promise<boolean> => withFile(folder, (db) => db.prepare(left).get()?.['n']) === 0
  await untilTrue('the checksum of every item', isDone, { withinMs: 30_000 })
}

test('verify accepts them', async () => {
  const folder = await makeOldFolder()
  expect(await verify(folder)).toMatchObject({ problemCount: 0, withoutChecksum: 1_197 })
  withFile(folder, (db) => db.exec("UPDATE items SET content = CAST('{}' AS BLOB) WHERE place % 100 = 50"))
  expect((await verify(folder)).problemCount).toBeGreaterThan(0)
})

test('get checksums and gaps while the store is in use', async () => {
  const folder = await makeOldFolder()
  {
    await using store = await openSqliteStore(folder)
    expect((await store.list('things', { limit: 1_000 })).items).toHaveLength(1_000)
    expect(await store.put([{ collection: JSON_COLLECTION, items }], 2)).toMatchObject([{ kind: 'stored' }])
    expect(await store.delete('things', items[20]?.id ?? '')).toBe(true)
    await untilFilled(folder)
    expect(await store.get('things', items[30]?.id ?? '')).toMatchObject({ firstSeenMs: 1 })
  }
  expect(await verify(folder)).toMatchObject({
    problemCount: 0,
    withoutChecksum: 0,
    collections: new Map([['things', 1_199]]),
  })
  // from now on a changed date and a lost item are detected
  withFile(folder, (db) => db.exec(`UPDATE items SET first_seen_ms = 3 WHERE ${PLACE} = 40`))
  {
    await using store = await openSqliteStore(folder)
    await expect(store.list('things', { limit: 1_000 })).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  }
  withFile(folder, (db) => db.exec(`DELETE FROM items WHERE ${PLACE} = 40`))
  await using store = await openSqliteStore(folder)
  await expect(store.list('things', { limit: 1_000 })).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
})

test('an item whose id shows damage gets no checksum, and is refused before and after', async () => {
  const folder = await makeOldFolder()
  const id = items[59]?.id ?? ''
  withFile(folder, (db) => db.exec(`UPDATE items SET content = CAST('{"n": 7}' AS BLOB) WHERE ${PLACE} = 60`))
  await using store = await openSqliteStore(folder)
  await expect(store.get('things', id)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  await untilFilled(folder)
  await expect(store.get('things', id)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  await expect(store.list('things', { limit: 1_000 })).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  expect(await store.delete('things', id)).toBe(true)
  expect((await store.list('things', { limit: 1_000 })).items).toHaveLength(1_000)
})
