/**
 * A minimal store that checks fences: one value per key, and the greatest fence that wrote it. The check is part of the
 * statement, so check and write are one step.
 */
import { createPostgres } from '../../postgres/pool.ts'

export interface Register extends AsyncDisposable {
  /** `stale`: a greater fence has written before, so nothing was changed. */
  write(key: string, value: string, fence: bigint): Promise<'written' | 'stale'>
  read(key: string): Promise<{ readonly value: string; readonly fence: bigint } | undefined>
}

const TABLE = 'CREATE TABLE IF NOT EXISTS register (key text PRIMARY KEY, value text NOT NULL, fence bigint NOT NULL)'
const WRITE = `
  INSERT INTO register AS r VALUES ($1, $2, $3)
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, fence = excluded.fence WHERE r.fence <= excluded.fence`
const READ = 'SELECT value, fence FROM register WHERE key = $1'

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

export async function openRegister(url: string): Promise<Register> {
  const postgres = createPostgres({ url, errorCode: 'STORE_UNAVAILABLE', connections: 1 })
  await postgres.query(TABLE, [], soon())
  return {
    async write(key, value, fence) {
      const { count } = await postgres.query(WRITE, [key, value, String(fence)], soon())
      return count === 1 ? 'written' : 'stale'
    },
    async read(key) {
      const row = (await postgres.query(READ, [key], soon())).rows[0]
      return row === undefined ? undefined : { value: String(row['value']), fence: BigInt(String(row['fence'])) }
    },
    [Symbol.asyncDispose]: async () => postgres[Symbol.asyncDispose](),
  }
}
