/**
 * Opens the file of the embedded store. One connection writes and another reads, each on its own thread. WAL lets them
 * work concurrently. `synchronous=FULL` is set explicitly: when COMMIT returns, it has been fsynced.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { failpoint } from '#failpoint'
import { checkCollections } from './collections.ts'
import { syncLeftovers } from './durable.ts'
import { migrate } from './migrate.ts'

export const DATABASE_FILE = 'items.sqlite'

/** Opens the file for writing. Creates it if it is missing, and migrates it to the newest schema. */
export function openForWriting(folder: string): DatabaseSync {
  const file = join(folder, DATABASE_FILE)
  syncLeftovers(`${file}-wal`)
  const db = new DatabaseSync(file)
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${failpoint('sqlite/no-sync') ? 'OFF' : 'FULL'}`)
  checkCellSizes(db)
  // 24 MiB of pages; other pages come from the system's cache
  db.exec('PRAGMA cache_size = -24576; PRAGMA temp_store = MEMORY')
  migrate(db)
  checkCollections(db)
  if (failpoint('sqlite/no-unique-index')) {
    db.exec('DROP INDEX items_once; CREATE INDEX items_once ON items (collection, id)')
  }
  return db
}

export function openForReading(folder: string): DatabaseSync {
  const db = new DatabaseSync(join(folder, DATABASE_FILE), { readOnly: true })
  checkCellSizes(db)
  return db
}

/** Makes SQLite check the cell sizes of each page that it reads, so that it detects damage earlier. */
function checkCellSizes(db: DatabaseSync): void {
  db.exec('PRAGMA cell_size_check = ON')
}
