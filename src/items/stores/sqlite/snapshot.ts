/**
 * Opens the file of a data folder to look at it without writing a byte anywhere in the folder, which may be read-only:
 * no lock file, no owner, no shared memory, and no log that is merged into the file.
 *
 * A log (`-wal`) that is not empty, as a killed service leaves it, belongs to the data. SQLite reads it only by writing
 * beside it, so then file and log are copied to the folder for temporary files, and the copy is opened.
 */
import { chmodSync, constants, copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { IngotError, reasonOf } from '../../../errors/error.ts'
import { DATABASE_FILE } from './database.ts'
import { LOCK_FILE, lockedFolder } from './folder-lock.ts'

export interface Snapshot {
  readonly db: DatabaseSync
  close(): void
}

/** Files beside the database that hold a part of it. */
const PARTS = ['-wal', '-journal']

/**
 * @throws IngotError CONFIG_INVALID when there is no store in the folder, STORE_LOCKED while a service has it,
 * OUTPUT_UNWRITABLE when a copy is needed and there is no room for it
 */
export function openSnapshot(folder: string): Snapshot {
  const file = join(folder, DATABASE_FILE)
  if (!existsSync(file)) {
    throw new IngotError(
      'CONFIG_INVALID',
      `there is no ${DATABASE_FILE} in "${folder}": name the data folder of a service`,
    )
  }
  const lock = holdFolder(folder)
  try {
    const parts = PARTS.filter((part) => (statSync(file + part, { throwIfNoEntry: false })?.size ?? 0) > 0)
    if (parts.length > 0) return openCopy(file, parts, lock)
    const url = pathToFileURL(file)
    url.searchParams.set('immutable', '1')
    return snapshot(new DatabaseSync(url, { readOnly: true }), lock)
  } catch (failure) {
    lock()
    throw failure
  }
}

function snapshot(db: DatabaseSync, release: () => void): Snapshot {
  return {
    db,
    close() {
      db.close()
      release()
    },
  }
}

function openCopy(file: string, parts: readonly string[], release: () => void): Snapshot {
  const folder = copyToTemporary(file, parts)
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const db = new DatabaseSync(join(folder, DATABASE_FILE))
    return snapshot(db, () => {
      remove()
      release()
    })
  } catch (failure) {
    remove()
    throw failure
  }
}

function copyToTemporary(file: string, parts: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'ingot-verify-'))
  try {
    for (const part of ['', ...parts]) {
      const copy = join(folder, DATABASE_FILE + part)
      copyFileSync(file + part, copy, constants.COPYFILE_FICLONE)
      // the copy of a read-only file is one too
      chmodSync(copy, 0o600)
    }
    return folder
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true })
    throw new IngotError(
      'OUTPUT_UNWRITABLE',
      `the data folder has a log that was not merged, so a copy is needed in "${tmpdir()}": ${reasonOf(cause)}; name a larger folder in TMPDIR, or start and stop the service once`,
      { cause },
    )
  }
}

/** Keeps services out while the snapshot is open, where the folder has the file that they lock. */
function holdFolder(folder: string): () => void {
  const file = join(folder, LOCK_FILE)
  // a copy of the file of items alone: nobody can be using it
  if (!existsSync(file)) return () => {}
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    db.exec('BEGIN')
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
  } catch (cause) {
    db.close()
    throw lockedFolder(folder, cause)
  }
  return () => db.close()
}
