/**
 * The fenced register in a file that the processes of one machine share. The statement compares the fence, so comparing
 * and writing are one step. Every accepted write adds a row to a log in commit order.
 */
import { DatabaseSync } from 'node:sqlite'
import { failpoint } from '#failpoint'
import { IngotError } from '../../errors/error.ts'
import { useWriteAheadLog } from '../../std/write-ahead-log.ts'
import type { RegisterRow } from '../checkers/final-store.ts'
import type { FencedRegister } from './register.ts'

/** Longest wait for another process that writes, in milliseconds. The wait blocks this process. */
const BUSY_MS = 5_000

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS register (key TEXT PRIMARY KEY, version INTEGER NOT NULL, fence INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS register_log (
    n INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, version INTEGER NOT NULL, fence INTEGER NOT NULL) STRICT;
  CREATE TRIGGER IF NOT EXISTS register_logs AFTER UPDATE OF version ON register BEGIN
    INSERT INTO register_log (key, version, fence) VALUES (NEW.key, NEW.version, NEW.fence);
  END;
`
const ROW = 'INSERT INTO register VALUES (?, 0, 0) ON CONFLICT DO NOTHING'
const LOOK = 'UPDATE register SET fence = ?1 WHERE key = ?2 AND (fence <= ?1 OR ?3) RETURNING version'
const WRITE = 'UPDATE register SET version = ?1, fence = ?2 WHERE key = ?3 AND (fence <= ?2 OR ?4)'
const LOG = 'SELECT key, version, fence FROM register_log ORDER BY n'

/** Returns the SQL value that disables the comparison of fences. Always false in shipped code. */
function comparisonDisabled(): number {
  return failpoint('lock/ignore-fence') ? 1 : 0
}

/** Opens or creates the file. Its methods rethrow errors of SQLite; the outcome of a write is then unknown. */
export function openSqliteRegister(path: string): FencedRegister & Disposable {
  const db = new DatabaseSync(path, { timeout: BUSY_MS })
  useWriteAheadLog(db, BUSY_MS)
  db.exec(SCHEMA)
  const [row, look, write] = [db.prepare(ROW), db.prepare(LOOK), db.prepare(WRITE)]
  return {
    lookup(key, fence) {
      row.run(key)
      const found = look.get(fence, key, comparisonDisabled())
      return found === undefined ? 'stale' : Number(found['version'])
    },
    write(key, version, fence) {
      return Number(write.run(version, fence, key, comparisonDisabled()).changes) === 1 ? 'written' : 'stale'
    },
    [Symbol.dispose]: () => db.close(),
  }
}

/** Returns the accepted writes in commit order. Throws IngotError INPUT_UNREADABLE. */
export function readSqliteRegister(path: string): readonly RegisterRow[] {
  try {
    // read-only, so that a missing file is not created
    const db = new DatabaseSync(path, { timeout: BUSY_MS, readOnly: true })
    try {
      const statement = db.prepare(LOG)
      statement.setReadBigInts(true)
      return statement.all().map((row) => ({
        key: String(row['key']),
        value: String(row['version']),
        fence: String(row['fence']),
      }))
    } finally {
      db.close()
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new IngotError('INPUT_UNREADABLE', `cannot read the register "${path}": ${why}`, { cause })
  }
}
