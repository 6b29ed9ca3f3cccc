/**
 * A fence store in a file, shared by the processes of one machine. Every number is on disk (WAL, synchronous=FULL)
 * before it is returned. Do not use it on a network file system.
 */
import { randomUUID } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { IngotError, reasonOf } from '../../errors/error.ts'
import { useWriteAheadLog } from '../../std/write-ahead-log.ts'
import type { FenceStore, PrimaryTerm, TermRequest } from './fence-store.ts'
import { ownEpoch, settled } from './primary-terms.ts'

/** How long a call waits for another writing process, in milliseconds. It blocks this process meanwhile. */
const BUSY_MS = 1_000

/** A file of an earlier version gets the missing table. */
const SCHEMA = `
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS fence_epoch (identity TEXT PRIMARY KEY, epoch INTEGER NOT NULL UNIQUE) STRICT;
  CREATE TABLE IF NOT EXISTS fence (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS fence_tenure (
    line TEXT NOT NULL, epoch INTEGER NOT NULL, owner TEXT NOT NULL, members TEXT NOT NULL, PRIMARY KEY (line, epoch)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO fence VALUES (1, 0) ON CONFLICT DO NOTHING;
`
const KNOWN = 'SELECT epoch AS number FROM fence_epoch WHERE identity = ?'
// one statement, and SQLite has one writer: two processes never compute the same maximum
const NEW_EPOCH = `
  INSERT INTO fence_epoch SELECT ?, max(coalesce(max(epoch), 0), ?) + 1 FROM fence_epoch WHERE true
  ON CONFLICT (identity) DO UPDATE SET identity = excluded.identity RETURNING epoch AS number`
const NEXT_FENCE = 'UPDATE fence SET value = value + 1 RETURNING value AS number'
const TERMS = 'SELECT epoch, owner, members FROM fence_tenure WHERE line = ?'
const FORGET = 'DELETE FROM fence_tenure WHERE line = ?'
const NOTE = 'INSERT INTO fence_tenure (line, epoch, owner, members) VALUES (?, ?, ?, ?)'

function unavailableError(cause: unknown): IngotError {
  return new IngotError('FENCE_STORE_UNAVAILABLE', `the fence file did not store the number: ${reasonOf(cause)}`, {
    cause,
  })
}

function open(path: string): DatabaseSync {
  try {
    const database = new DatabaseSync(path, { timeout: BUSY_MS })
    useWriteAheadLog(database, BUSY_MS)
    database.exec(SCHEMA)
    return database
  } catch (cause) {
    throw unavailableError(cause)
  }
}

/** Runs the work. Rejects with `FENCE_STORE_UNAVAILABLE` if it throws. */
async function attempt<T>(signal: AbortSignal, work: () => T): Promise<T> {
  signal.throwIfAborted()
  try {
    return work()
  } catch (cause) {
    throw unavailableError(cause)
  }
}

/** Runs the work in a transaction. No other process writes meanwhile. */
function transact<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (cause) {
    database.exec('ROLLBACK')
    throw cause
  }
}

function numberOf(value: unknown): bigint {
  if (typeof value === 'bigint') return value
  throw new Error('no number was returned')
}

/** Prepares the statements of the store. Each throws the errors of SQLite. */
function statementsOf(database: DatabaseSync) {
  const prepare = (sql: string) => {
    const statement = database.prepare(sql)
    statement.setReadBigInts(true)
    return statement
  }
  const [known, newEpoch, nextFence] = [prepare(KNOWN), prepare(NEW_EPOCH), prepare(NEXT_FENCE)]
  const [select, forget, note] = [prepare(TERMS), prepare(FORGET), prepare(NOTE)]

  function epochFor(identity: string, above: bigint): bigint {
    return numberOf((known.get(identity) ?? newEpoch.get(identity, above))?.['number'])
  }

  function termsOf(line: string): readonly PrimaryTerm[] {
    return select.all(line).map((row) => ({
      line,
      epoch: numberOf(row['epoch']),
      owner: String(row['owner']),
      members: String(row['members']),
    }))
  }

  function take(request: TermRequest): bigint {
    const { owner, parts, mark, above } = request
    const before = parts.map(({ line }) => termsOf(line))
    const own = mark === undefined ? ownEpoch(before.flat(), request) : undefined
    const newest = before.flat().reduce((max, { epoch }) => (epoch > max ? epoch : max), above)
    const epoch = own ?? epochFor(mark ?? `${owner} ${randomUUID()}`, newest)
    parts.forEach((part, i) => {
      const now = settled(before[i] ?? [], part, { epoch, owner })
      forget.run(part.line)
      for (const term of now) note.run(part.line, term.epoch, term.owner, term.members)
    })
    return epoch
  }

  return { epochFor, termsOf, take, next: () => numberOf(nextFence.get()?.['number']) }
}

/** Opens the file, or creates it. Throws `FENCE_STORE_UNAVAILABLE`. */
export function openSqliteFences(path: string): FenceStore {
  const database = open(path)
  const statements = statementsOf(database)
  return {
    epochOf: (identity, signal) => attempt(signal, () => statements.epochFor(identity, 0n)),
    termsOf: (lines, signal) => attempt(signal, () => lines.flatMap((line) => statements.termsOf(line))),
    takeTerm: (term, signal) => attempt(signal, () => transact(database, () => statements.take(term))),
    nextFence: (_key, signal) => attempt(signal, () => statements.next()),
    async [Symbol.asyncDispose]() {
      database.close()
    },
  }
}
