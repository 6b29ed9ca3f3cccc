import type { DatabaseSync } from 'node:sqlite'

/** Result code SQLITE_BUSY of https://www.sqlite.org/rescode.html. */
const BUSY = 5

/**
 * Turns on the write-ahead log of a file that other processes may open at the same time. Waits for up to `waitMs`
 * milliseconds, and blocks this process meanwhile. Throws SQLite's error.
 *
 * SQLite's own timeout does not apply here. The change reads the header of the file under a shared lock and then
 * requests a stronger lock. If another process writes in the old mode, the change fails at once, because two processes
 * waiting like this would deadlock.
 */
export function useWriteAheadLog(database: DatabaseSync, waitMs: number): void {
  const endMs = performance.now() + waitMs
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL')
      return
    } catch (thrown) {
      if (!isBusy(thrown) || performance.now() >= endMs) throw thrown
    }
    // waits for the writer with SQLite's timeout, because this transaction begins without a lock
    database.exec('BEGIN IMMEDIATE; COMMIT')
  }
}

function isBusy(thrown: unknown): boolean {
  return thrown instanceof Error && 'errcode' in thrown && thrown.errcode === BUSY
}
