/** Real files, each damaged on purpose in one way. */
import {
  chmodSync,
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { IdentityPolicy } from '../../../identity/policy.ts'
import { systemClock } from '../../../std/clock.ts'
import { temporaryFolder } from '../../../testing/folder.ts'
import type { PreparedItem } from '../../item.ts'
import { prepare } from '../../prepare.ts'
import { DATABASE_FILE } from './database.ts'
import { openSnapshot } from './snapshot.ts'
import { openSqliteStore } from './store.ts'
import { verifyFolder } from './verify.ts'

const root = temporaryFolder()
const JSON_POLICY: IdentityPolicy = { kind: 'json' }
const FIELDS_POLICY: IdentityPolicy = { kind: 'fields', include: ['/n'] }

function itemOf(policy: IdentityPolicy, text: string, media = 'application/json'): PreparedItem {
  const prepared = prepare(policy, { media, content: Buffer.from(text) }, { maxDepth: 128 })
  if ('refused' in prepared) throw prepared.refused
  return prepared
}

const template = join(root, 'template')

function makeStore(): string {
  const folder = mkdtempSync(join(root, 'store-'))
  cpSync(template, folder, { recursive: true })
  return folder
}

beforeAll(() => fillStore(template))

/** Stores items of every kind and a receipt, and closes the store as a service does. */
async function fillStore(folder: string): Promise<void> {
  await using store = await openSqliteStore(folder)
  const orders = Array.from({ length: 2_500 }, (_, n) => itemOf(JSON_POLICY, `{"n": ${n}}`))
  const scans = ['raw', 'bytes'].map((text) => itemOf(JSON_POLICY, text, 'application/octet-stream'))
  const fields = [1, 2].map((n) => itemOf(FIELDS_POLICY, `{"n":${n},"seen":"today"}`))
  const keyRequest = { scope: 'me', key: 'k', fingerprint: 'f', expiresAtMs: 9e12 }
  const form = { kind: 'batch', slots: [{ kind: 'item', at: 0, repeat: false }] } as const
  await store.put(
    [
      { collection: { name: 'orders', policy: JSON_POLICY }, items: [...orders, ...scans] },
      { collection: { name: 'fields', policy: FIELDS_POLICY }, items: fields },
      {
        collection: { name: 'orders', policy: JSON_POLICY },
        items: [itemOf(JSON_POLICY, '"claimed"')],
        idempotency: { ...keyRequest, form },
      },
    ],
    1_700_000_000_000,
  )
}

const verify = (folder: string) => verifyFolder(folder, { clock: systemClock, signal: AbortSignal.timeout(30_000) })

/** Runs statements that a store never runs. */
function damaged(...statements: string[]): string {
  const folder = makeStore()
  const db = new DatabaseSync(join(folder, DATABASE_FILE), { enableForeignKeyConstraints: false })
  for (const statement of statements) db.exec(statement)
  db.close()
  return folder
}

function makeReadOnly(folder: string): void {
  for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o444)
  chmodSync(folder, 0o555)
  onTestFinished(() => chmodSync(folder, 0o755))
}

/** Returns names, times and bytes of all files. */
function contentsOf(folder: string): unknown {
  return readdirSync(folder).map((name) => {
    const path = join(folder, name)
    return { name, changedMs: statSync(path).mtimeMs, bytes: readFileSync(path).toString('base64') }
  })
}

describe('verify', () => {
  test('finds no problem in an intact folder, and counts its rows', async () => {
    const report = await verify(makeStore())
    expect(report).toEqual({
      collections: new Map([
        ['orders', 2_503],
        ['fields', 2],
      ]),
      receipts: 1,
      withoutChecksum: 0,
      problemCount: 0,
      problems: [],
    })
  })

  test('writes nothing in the folder, which may be read-only', async () => {
    const folder = makeStore()
    makeReadOnly(folder)
    const before = contentsOf(folder)
    expect((await verify(folder)).problemCount).toBe(0)
    expect(contentsOf(folder)).toEqual(before)
    await expect(verify(damaged("UPDATE items SET content = x'7b' WHERE place % 9 = 0"))).resolves.toMatchObject({
      problems: expect.arrayContaining([expect.stringContaining('is refused')]) as unknown,
    })
  })

  test('reads the unmerged log of a killed service, and writes nothing in the folder', async () => {
    const live = mkdtempSync(join(root, 'live-'))
    const copy = mkdtempSync(join(root, 'copy-'))
    await using store = await openSqliteStore(live)
    const policy = { kind: 'json' } as const
    await store.put([{ collection: { name: 'late', policy }, items: [itemOf(policy, '1'), itemOf(policy, '2')] }], 1)
    cpSync(live, copy, { recursive: true })
    expect(statSync(join(copy, `${DATABASE_FILE}-wal`)).size).toBeGreaterThan(0)
    makeReadOnly(copy)
    const before = contentsOf(copy)
    const temporary = readdirSync(tmpdir())
    expect(await verify(copy)).toMatchObject({ problemCount: 0, collections: new Map([['late', 2]]) })
    expect(contentsOf(copy)).toEqual(before)
    expect(
      readdirSync(tmpdir()).filter((name) => name.startsWith('ingot-verify-') && !temporary.includes(name)),
    ).toEqual([])
  })

  test('keeps services out meanwhile', async () => {
    const folder = makeStore()
    const snapshot = openSnapshot(folder)
    await expect(openSqliteStore(folder)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    snapshot.close()
    await (await openSqliteStore(folder))[Symbol.asyncDispose]()
  })

  test('accepts a copy of the file alone', async () => {
    const folder = mkdtempSync(join(root, 'alone-'))
    cpSync(join(template, DATABASE_FILE), join(folder, DATABASE_FILE))
    expect((await verify(folder)).problemCount).toBe(0)
    expect(readdirSync(folder)).toEqual([DATABASE_FILE])
  })

  test.each([
    [
      'a changed byte',
      'UPDATE items SET content = CAST(\'{"n": 7777}\' AS BLOB) WHERE place = (SELECT min(place) FROM items)',
      /id of its content is j1-/,
    ],
    [
      'a content that is not JSON',
      "UPDATE items SET content = x'7b' WHERE place = (SELECT min(place) FROM items)",
      /is refused/,
    ],
    [
      'a short id',
      "UPDATE items SET id = x'6a31' WHERE place = (SELECT min(place) FROM items)",
      /values of wrong types/,
    ],
    [
      'another media type',
      "UPDATE items SET media = 'text/plain' WHERE place = (SELECT min(place) FROM items)",
      /id of its content is b1-/,
    ],
    [
      'another policy',
      `UPDATE collections SET policy = '{"kind":"bytes"}' WHERE name = 'fields'`,
      /id of its content is b1-/,
    ],
    ['no policy', "UPDATE collections SET policy = 'x' WHERE name = 'fields'", /"fields" has no policy/],
    ['an item without a collection', "DELETE FROM collections WHERE name = 'fields'", /belongs to no collection/],
    [
      'an item outside its places',
      "UPDATE collections SET last_place = last_place - 1 WHERE name = 'orders'",
      /outside its places/,
    ],
    ['no judge', 'DROP INDEX items_once', /unique index items_once is missing/],
    [
      'an index that is not unique',
      'DROP INDEX items_once; CREATE INDEX items_once ON items (collection, id)',
      /items_once is missing or wrong/,
    ],
    [
      'another media type of bytes',
      "UPDATE items SET media = 'text/plain' WHERE media IS NOT NULL",
      /does not match its checksum/,
    ],
    [
      'another date',
      'UPDATE items SET first_seen_ms = first_seen_ms + 1 WHERE place % 3 = 0',
      /does not match its checksum/,
    ],
    [
      'spaces that the id does not cover',
      `UPDATE items SET content = CAST('{"n" : 5}' AS BLOB) WHERE CAST(content AS TEXT) = '{"n": 5}'`,
      /does not match its checksum/,
    ],
    ['an item without its checksum', 'UPDATE items SET checksum = NULL WHERE place % 7 = 0', /has lost its checksum/],
    ['a lost item', 'DELETE FROM items WHERE CAST(content AS TEXT) = \'{"n": 9}\'', /"orders" has lost 1 items/],
    [
      'an item that is recorded as deleted',
      'INSERT INTO gaps SELECT max(place), max(place) FROM items',
      /are recorded as deleted/,
    ],
    [
      'another count of deletions',
      'UPDATE collections SET deletes = 7',
      /the row of collection "orders" does not match/,
    ],
    [
      'another digit in a receipt',
      "UPDATE receipts SET body = replace(body, '2023', '2022')",
      /does not match its checksum/,
    ],
    ['another status of a receipt', 'UPDATE receipts SET status = 201', /does not match its checksum/],
    ['another expiry of a receipt', 'UPDATE receipts SET expires_ms = expires_ms + 1', /does not match its checksum/],
    ['an invalid receipt', "UPDATE receipts SET body = '{'", /Idempotency-Key "k" is invalid/],
    ['a newer schema', 'PRAGMA user_version = 99', /schema 99/],
    ['the application id of another program', 'PRAGMA application_id = 7', /not made by ingot/],
  ])('finds %s', async (_, statement, problem) => {
    const report = await verify(damaged(statement))
    expect(report.problemCount).toBeGreaterThan(0)
    expect(report.problems.join('\n')).toMatch(problem)
  })

  test('finds an item that is stored twice, also without a unique index', async () => {
    const folder = damaged(
      'DROP INDEX items_once; CREATE INDEX items_once ON items (collection, id)',
      'INSERT INTO items SELECT place + 1, collection, id, media, first_seen_ms, content, checksum FROM items ORDER BY place DESC LIMIT 1',
    )
    expect((await verify(folder)).problems.join('\n')).toMatch(/"fields" has item f1-[0-9a-f]{64} 2 times/)
  })

  test('shows the first problems and counts all', async () => {
    const report = await verify(damaged("UPDATE items SET content = CAST('{}' AS BLOB) WHERE media IS NULL"))
    expect(report.problems.length).toBe(20)
    expect(report.problemCount).toBe(2_503)
  })

  test('finds damage of the disk on any page', async () => {
    const folder = makeStore()
    const file = join(folder, DATABASE_FILE)
    const size = readFileSync(file).length
    for (let at = 4_096 + 50; at < size; at += 16_384) {
      const handle = openSync(file, 'r+')
      writeSync(handle, Buffer.alloc(200, 0xa5), 0, 200, at)
      closeSync(handle)
    }
    expect((await verify(folder)).problemCount).toBeGreaterThan(0)
  })

  test('reports a file that is not a database', async () => {
    const folder = mkdtempSync(join(root, 'odd-'))
    writeFileSync(join(folder, DATABASE_FILE), 'hello'.repeat(1_000))
    expect((await verify(folder)).problems).toEqual([expect.stringContaining('not a database')])
  })

  test('refuses a folder without a store, or in use', async () => {
    await expect(verify(join(root, 'nowhere'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    const folder = makeStore()
    await using store = await openSqliteStore(folder)
    await expect(verify(folder)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await store.check()
  })

  test('releases the folder, also when it is aborted', async () => {
    const folder = makeStore()
    const reason = new Error('ended by SIGINT')
    await expect(verifyFolder(folder, { clock: systemClock, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect((await verify(folder)).problemCount).toBe(0)
    await (await openSqliteStore(folder))[Symbol.asyncDispose]()
  })
})
