/**
 * Fences from a file: for services of one machine, whose processes share it. Every number is on disk (WAL,
 * synchronous=FULL) before it is given. Not for a network file system.
 */
import { DatabaseSync } from 'node:sqlite'
import { Fault, reasonOf } from '../../std/fault.ts'
import type { FenceStore } from '../fence-store.ts'

/** How long a call waits for another process that writes, in milliseconds; it blocks this process meanwhile. */
const BUSY_MS = 1_000

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS fence_epoch (identity TEXT PRIMARY KEY, epoch INTEGER NOT NULL UNIQUE) STRICT;
  CREATE TABLE IF NOT EXISTS fence (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL) STRICT;
  INSERT INTO fence VALUES (1, 0) ON CONFLICT DO NOTHING;
`
const KNOWN = 'SELECT epoch AS number FROM fence_epoch WHERE identity = ?'
// one statement, and SQLite has one writer: two processes never compute the same maximum
const NEW_EPOCH = `
  INSERT INTO fence_epoch SELECT ?, coalesce(max(epoch), 0) + 1 FROM fence_epoch WHERE true
  ON CONFLICT (identity) DO UPDATE SET identity = excluded.identity RETURNING epoch AS number`
const NEXT_FENCE = 'UPDATE fence SET value = value + 1 RETURNING value AS number'

function faultOf(cause: unknown): Fault {
  return new Fault('FENCE_STORE_UNAVAILABLE', `the fence file did not take the number: ${reasonOf(cause)}`, { cause })
}

function open(path: string): DatabaseSync {
  try {
    const database = new DatabaseSync(path, { timeout: BUSY_MS })
    database.exec(SCHEMA)
    return database
  } catch (cause) {
    throw faultOf(cause)
  }
}

async function take(signal: AbortSignal, number: () => bigint | undefined): Promise<bigint> {
  signal.throwIfAborted()
  try {
    const taken = number()
    if (taken !== undefined) return taken
  } catch (cause) {
    throw faultOf(cause)
  }
  throw faultOf('no number came back')
}

/** Opens the file, or makes it. Throws `FENCE_STORE_UNAVAILABLE`. */
export function openSqliteFences(path: string): FenceStore {
  const database = open(path)
  const statement = (sql: string) => {
    const prepared = database.prepare(sql)
    prepared.setReadBigInts(true)
    return (...values: string[]): bigint | undefined => {
      const number = prepared.get(...values)?.['number']
      return typeof number === 'bigint' ? number : undefined
    }
  }
  const [known, newEpoch, nextFence] = [statement(KNOWN), statement(NEW_EPOCH), statement(NEXT_FENCE)]

  return {
    epochOf: (identity, signal) => take(signal, () => known(identity) ?? newEpoch(identity)),
    nextFence: (_key, signal) => take(signal, () => nextFence()),
    async [Symbol.asyncDispose]() {
      database.close()
    },
  }
}
