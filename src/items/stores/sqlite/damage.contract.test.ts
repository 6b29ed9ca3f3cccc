/** Damage to the file of the embedded store, done without the store. */
import { closeSync, cpSync, mkdtempSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { damageContract, damageItemOf, flipped, JSON_COLLECTION } from '../../../testing/damage/contract.ts'
import { damageAtRandom, readTruth, runDamage } from '../../../testing/damage/fuzz.ts'
import { temporaryFolder } from '../../../testing/folder.ts'
import type { Collection, PreparedItem } from '../../item.ts'
import { itemKey } from '../../item-key.ts'
import type { ItemStore } from '../../store.ts'
import { DATABASE_FILE } from './database.ts'
import { openSqliteStore } from './store.ts'

const root = temporaryFolder()
const newFolder = (): string => mkdtempSync(join(root, 'store-'))

/** Opens the file, also while a store has it open. */
function withFile<T>(folder: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(folder, DATABASE_FILE))
  try {
    return work(db)
  } finally {
    db.close()
  }
}

damageContract('sqlite', async () => {
  const folder = newFolder()
  const store = await openSqliteStore(folder)
  return {
    store,
    async damageItem(collection, id, column) {
      withFile(folder, (db) => {
        const where = 'WHERE id = ? AND collection = (SELECT id FROM collections WHERE name = ?)'
        const row = db.prepare(`SELECT ${column} AS value FROM items ${where}`).get(itemKey(id), collection)
        db.prepare(`UPDATE items SET ${column} = ? ${where}`).run(flipped(row?.['value']), itemKey(id), collection)
      })
    },
    async damageReceipt(column) {
      withFile(folder, (db) => {
        const row = db.prepare(`SELECT ${column} AS value FROM receipts`).get()
        db.prepare(`UPDATE receipts SET ${column} = ?`).run(flipped(row?.['value']))
      })
    },
  }
})

const FIELDS_COLLECTION: Collection = { name: 'chosen', policy: { kind: 'fields', include: ['/a'] } }
const BYTES_COLLECTION: Collection = { name: 'blobs', policy: { kind: 'bytes' } }
const refused = { code: 'STORE_CORRUPT' }

function numbered(collection: Collection, count: number, text: (n: number) => string, media?: string): PreparedItem[] {
  return Array.from({ length: count }, (_, n) => damageItemOf(collection, text(n), media))
}

/** Stores items of every kind, deletes some of them, and closes the store as a service does. */
async function fill(folder: string): Promise<void> {
  await using store = await openSqliteStore(folder)
  const orders = numbered(JSON_COLLECTION, 120, (n) => `{"n": ${n}}`)
  const chosen = numbered(FIELDS_COLLECTION, 40, (n) => `{"a": ${n}, "b": "${'x'.repeat(n * 20)}"}`)
  const blobs = numbered(BYTES_COLLECTION, 10, (n) => `${n}`.repeat(6_000), 'text/plain')
  await store.put(
    [
      { collection: JSON_COLLECTION, items: orders },
      { collection: FIELDS_COLLECTION, items: chosen },
      { collection: BYTES_COLLECTION, items: blobs },
    ],
    1_700_000_000_000,
  )
  for (const [n, { id }] of orders.entries()) if (n % 3 === 0) await store.delete(JSON_COLLECTION.name, id)
  await store.put(
    [{ collection: JSON_COLLECTION, items: numbered(JSON_COLLECTION, 5, (n) => `[${n}]`) }],
    1_700_000_000_001,
  )
}

const NAMES = [JSON_COLLECTION, FIELDS_COLLECTION, BYTES_COLLECTION].map(({ name }) => name)

async function drain(store: ItemStore, collection: string): Promise<readonly string[]> {
  return ((await readTruth(store, [collection])).get(collection) ?? []).map(({ id }) => id)
}

/** Overwrites a page. Pages count from 1. */
function destroyPage(folder: string, page: number, byte: number): void {
  const handle = openSync(join(folder, DATABASE_FILE), 'r+')
  writeSync(handle, Buffer.alloc(4_096, byte), 0, 4_096, (page - 1) * 4_096)
  closeSync(handle)
}

describe('a destroyed page', () => {
  test.each([0x00, 0x0d, 0xa5])(
    'with a page of %i bytes, no list is shorter, whichever page is overwritten',
    async (byte) => {
      const template = newFolder()
      await fill(template)
      const store = await openSqliteStore(template)
      const truth = await readTruth(store, NAMES)
      await store[Symbol.asyncDispose]()
      const pages = readFileSync(join(template, DATABASE_FILE)).length / 4_096
      let refusals = 0
      for (let page = 2; page <= pages; page++) {
        const strike = (folder: string): void => destroyPage(folder, page, byte)
        const result = await runDamage({ template, folder: join(root, `page-${byte}-${page}`), truth, strike })
        expect(result.wrong, `page ${page}`).toEqual([])
        refusals += result.refused
      }
      expect(refusals).toBeGreaterThan(pages / 2)
    },
  )

  test('detects an item that is gone without a DELETE: at the beginning, in the middle and at the end', async () => {
    const folder = newFolder()
    await fill(folder)
    for (const which of ['min(place)', 'min(place) + 20', 'max(place)']) {
      const copy = newFolder()
      cpSync(folder, copy, { recursive: true })
      withFile(copy, (db) => {
        const from = "FROM items WHERE collection = (SELECT id FROM collections WHERE name = 'chosen')"
        db.exec(`DELETE FROM items WHERE place = (SELECT ${which} ${from})`)
      })
      await using store = await openSqliteStore(copy)
      await expect(drain(store, 'chosen')).rejects.toMatchObject(refused)
      expect(await drain(store, 'things')).toHaveLength(85)
    }
  })
})

describe('the table of collections', () => {
  test.each([
    ['a name', "UPDATE collections SET name = 'thinge' WHERE name = 'things'"],
    ['a policy', `UPDATE collections SET policy = '{"include":["/b"],"kind":"fields"}' WHERE name = 'chosen'`],
    ['a count', "UPDATE collections SET deletes = deletes + 1 WHERE name = 'things'"],
    ['a place', "UPDATE collections SET checked_from = checked_from + 4 WHERE name = 'things'"],
  ])('a changed %s keeps the store from starting, or its items from being served', async (_, statement) => {
    const folder = newFolder()
    await fill(folder)
    withFile(folder, (db) => db.exec(`PRAGMA foreign_keys = OFF; ${statement}`))
    const served = async (): Promise<unknown> => {
      await using store = await openSqliteStore(folder)
      return await drain(store, 'things')
    }
    await expect(served()).rejects.toMatchObject(refused)
  })
})

test('after random damage, everything served was stored, and everything else is refused', async () => {
  const template = newFolder()
  await fill(template)
  const store = await openSqliteStore(template)
  const truth = await readTruth(store, NAMES)
  await store[Symbol.asyncDispose]()
  const total = { listed: 0, refused: 0 }
  for (let seed = 1; seed <= 60; seed++) {
    const folder = join(root, `seed-${seed}`)
    const result = await runDamage({ template, folder, truth, strike: (into) => damageAtRandom(into, seed) })
    expect(result.wrong, `seed ${seed}`).toEqual([])
    // verify also detects what the store detects, and items that a damaged index hides
    if (result.refused + result.hidden > 0) expect(result.problems, `seed ${seed}`).toBeGreaterThan(0)
    total.listed += result.listed
    total.refused += result.refused
  }
  expect(total.listed).toBeGreaterThan(0)
  expect(total.refused).toBeGreaterThan(0)
})
