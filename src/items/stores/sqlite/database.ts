/**
 * Opens the embedded store's file. One connection writes, another reads, each on a thread of its own; WAL lets them
 * work at once. `synchronous=FULL` is said explicitly: a COMMIT that returned has been fsync'd.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { failpoint } from '#failpoint'
import { checkCollections } from './collections.ts'
import { syncLeftovers } from './durable.ts'
import { migrate } from './migrate.ts'

export const DATABASE_FILE = 'items.sqlite'

/** Opens for writing; makes the file when missing and brings it to the newest shape. */
export function openForWriting(folder: string): DatabaseSync {
  const file = join(folder, DATABASE_FILE)
  syncLeftovers(`${file}-wal`)
  const db = new DatabaseSync(file)
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${failpoint('sqlite/no-sync') ? 'OFF' : 'FULL'}`)
  refuseOddCells(db)
  // 24 MiB of pages; what does not fit is read from the system's own cache
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
  refuseOddCells(db)
  return db
}

/** Has SQLite look at what each page says of itself when it reads one, so that less damage goes further than that. */
function refuseOddCells(db: DatabaseSync): void {
  db.exec('PRAGMA cell_size_check = ON')
}
