/** Reads the content of the Postgres store by SQL alone. */
import type { FinalStore } from '../checkers/final-store.ts'
import { idOfHex } from './item-id.ts'

/** Runs one statement and resolves with its rows. */
export type Query = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>

// without indexes, because a damaged or dropped index must not hide rows
export const PLAN = 'SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off'
const ROWS = `
  SELECT c.name, encode(i.id, 'hex') AS id, encode(sha256(i.content), 'hex') AS bytes
  FROM ingot_items i JOIN ingot_collections c ON c.id = i.collection`

/** Resolves with all rows. `query` must keep to one connection. Rejects with the error of `query`. */
export async function readPostgresStore(query: Query): Promise<FinalStore> {
  await query(PLAN)
  const rows = await query(ROWS)
  return {
    rows: rows.map((row) => ({
      collection: String(row['name']),
      id: idOfHex(String(row['id'])),
      bytes: String(row['bytes']),
    })),
  }
}
