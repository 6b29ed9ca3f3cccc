/** Rows of a real server that are changed without the store. */
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { IngotError } from '../../../errors/error.ts'
import { policyText } from '../../../identity/policy.ts'
import { createTransactions } from '../../../postgres/transactions.ts'
import { untilTrue } from '../../../std/until.ts'
import { damageContract, damageItemOf, flipped } from '../../../testing/damage/contract.ts'
import { type PostgresServer, runSql, startPostgres } from '../../../testing/postgres/server.ts'
import { type Absent, present } from '../../../testing/present.ts'
import { itemKey } from '../../item-key.ts'
import type { Unit } from '../../store.ts'
import { createBatch } from './batch.ts'
import { reportDamage } from './failure.ts'
import { fillChecksums } from './fill.ts'
import { migrate, readMigrations } from './migrate.ts'
import { openPostgresStore } from './store.ts'

let server: PostgresServer | Absent
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  if (!('absent' in server)) await server[Symbol.asyncDispose]()
})

interface Cell {
  readonly table: string
  readonly column: string
  /** Columns of one row. */
  readonly where: string
  readonly values: readonly unknown[]
}

/** Reads a value, and writes it back with one bit flipped. */
async function flip(url: string, { table, column, where, values }: Cell): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const read = `SELECT ${column} AS value FROM ${table} ${where}`
    const { rows } = await client.query<{ value: unknown }>(read, [...values])
    const [{ value } = { value: undefined }] = rows
    const bit = flipped(column === 'first_seen_ms' ? Number(value) : value)
    const written = bit instanceof Uint8Array ? Buffer.from(bit) : bit
    await client.query(`UPDATE ${table} SET ${column} = $${values.length + 1} ${where}`, [...values, written])
  } finally {
    await client.end()
  }
}

const ITEM = 'WHERE id = $1 AND collection = (SELECT id FROM ingot_collections WHERE name = $2)'

damageContract('postgres', async () => {
  if ('absent' in server) return server
  const url = await server.database()
  return {
    store: await openPostgresStore({ url }),
    damageItem: (collection, id, column) =>
      flip(url, { table: 'ingot_items', column, where: ITEM, values: [itemKey(id), collection] }),
    damageReceipt: (column) => flip(url, { table: 'ingot_receipts', column, where: '', values: [] }),
  }
})

const policy = { kind: 'fields', include: ['/a'] } as const
const collection = { name: 'chosen', policy } as const
const items = Array.from({ length: 600 }, (_, n) => damageItemOf(collection, `{"a": ${n}, "b": "x"}`))
const keyRequest = {
  scope: 'tester',
  key: 'k',
  fingerprint: 'f',
  expiresAtMs: 10,
  form: { kind: 'single', slots: [{ kind: 'item', at: 0, repeat: false }] },
} as const

/** Writes as a replica of the version before checksums does, with its functions. */
async function actAsOlder(url: string, text: string, values: readonly unknown[] = []): Promise<void> {
  await using transactions = createTransactions({ url, errorCode: 'STORE_UNAVAILABLE', connections: 1 })
  await transactions.once({ text, values })
}

async function putAsOlder(url: string, unit: Unit): Promise<void> {
  const batch = createBatch([unit])
  const values = batch
    .putValues(
      unit.items.map((_, row) => row),
      1,
    )
    .slice(0, 7)
  await actAsOlder(url, 'SELECT * FROM ingot_put_2($1, $2, $3, $4, $5, $6, $7)', values)
}

test('checks items from an older replica by their id, until they get checksums', async ({ skip }) => {
  const url = await present(server, skip).database()
  const fill = () => fillChecksums({ url, signal: AbortSignal.timeout(60_000) })
  await using store = await openPostgresStore({ url })
  await putAsOlder(url, { collection, items })
  await store.put([{ collection, items: [damageItemOf(collection, '{"a": "new"}')] }], 2)
  expect((await store.list('chosen', { limit: 1_000 })).items).toHaveLength(601)
  const [first, second, third] = items.map((one) => one.id)
  const cell = { table: 'ingot_items', where: ITEM }
  const rewrite = (id: string | undefined, content: string): Promise<unknown> =>
    runSql(url, `UPDATE ingot_items SET content = '${content}' WHERE id = '\\x${itemKey(id ?? '').toString('hex')}'`)

  // a field that is part of the id, and one that is not
  await rewrite(first, '{"a": 99, "b": "x"}')
  await rewrite(second, '{"a": 1, "b": "y"}')
  await expect(store.get('chosen', first ?? '')).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  expect(await store.get('chosen', second ?? '')).toMatchObject({ id: second })

  expect(await fill()).toEqual({ filled: 599, damaged: 1 })
  expect(await fill()).toEqual({ filled: 0, damaged: 1 })
  await rewrite(third, '{"a": 2, "b": "y"}')
  await flip(url, { ...cell, column: 'first_seen_ms', values: [itemKey(second ?? ''), 'chosen'] })
  for (const id of [first, second, third]) {
    await expect(store.get('chosen', id ?? '')).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  }
})

test('data that an older replica changes loses its checksum, and does not count as damaged', async ({ skip }) => {
  const url = await present(server, skip).database()
  await using store = await openPostgresStore({ url })
  await store.define('chosen', { kind: 'bytes' })
  await actAsOlder(url, 'SELECT ingot_define_1($1, $2)', ['chosen', policyText(policy)])
  expect(await store.collection('chosen')).toEqual(collection)
  await store.put([{ collection, items: items.slice(0, 1), idempotency: keyRequest }], 1)
  // the receipt expired, and the older replica stores another one under the key
  await actAsOlder(url, 'SELECT * FROM ingot_claim_1($1, $2, $3, $4, $5)', [['tester'], ['k'], ['f'], [99], 11])
  const kept = [['tester'], ['k'], [200], ['{"older":1}'], 11]
  await actAsOlder(url, 'SELECT ingot_keep_1($1, $2, $3, $4, $5)', kept)
  const again = { collection, items: items.slice(0, 1), idempotency: { ...keyRequest, expiresAtMs: 99 } }
  expect(await store.put([again], 12)).toEqual([{ kind: 'replayed', receipt: { status: 200, body: '{"older":1}' } }])
})

test('a migration waits for a table in use, without making others wait for long', async ({ skip }) => {
  const url = await present(server, skip).database()
  const migrations = await readMigrations()
  await migrate({ url, migrations: migrations.filter(({ version }) => version < 3) })
  const held = runSql(url, 'BEGIN; LOCK TABLE ingot_items IN ACCESS SHARE MODE; SELECT pg_sleep(5); COMMIT')
  await untilTrue(
    'the lock',
    async () => {
      const locks = await runSql(url, "SELECT 1 FROM pg_locks WHERE relation = 'ingot_items'::regclass")
      return locks.length > 0
    },
    { withinMs: 10_000 },
  )
  // its first attempt gives up after 3 s
  expect((await migrate({ url })).applied).toEqual(
    migrations.filter(({ version }) => version >= 3).map(({ name }) => name),
  )
  await held
})

test('damage that the server reports counts as damage, not as an outage', async () => {
  const reported = new IngotError('STORE_UNAVAILABLE', 'invalid page', { facts: { sqlstate: 'XX001' } })
  await expect(reportDamage(Promise.reject(reported))).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  const other = new IngotError('STORE_UNAVAILABLE', 'away', { facts: { sqlstate: '57P01' } })
  await expect(reportDamage(Promise.reject(other))).rejects.toBe(other)
})
