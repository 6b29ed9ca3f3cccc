/** Rows of a real server, changed past the store. */
import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { damageContract, flipped } from '../../testing/damage-contract.ts'
import { type PostgresServer, startPostgres } from '../../testing/postgres-server.ts'
import type { Absent } from '../../testing/present.ts'
import { itemKey } from '../item-key.ts'
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
  /** Of one row. */
  readonly where: string
  readonly values: readonly unknown[]
}

/** Reads a value and writes it back with a bit flipped. */
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
