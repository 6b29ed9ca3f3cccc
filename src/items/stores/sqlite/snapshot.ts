/**
 * Opens the file of a data folder for reading, without writing anything in the folder. The folder may be read-only. No
 * lock file, owner file or shared memory is created, and no log is merged into the file.
 *
 * A killed service leaves a log (`-wal`) that belongs to the data. SQLite reads a log only if it can write beside it.
 * In this case file and log are copied to the folder for temporary files, and the copy is opened.
 */
import { chmodSync, constants, copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { IngotError, reasonOf } from '../../../errors/error.ts'
import { DATABASE_FILE } from './database.ts'
import { folderLockedError, LOCK_FILE } from './folder-lock.ts'

export interface Snapshot {
  readonly db: DatabaseSync
  close(): void
}

/** Suffixes of files beside the database that hold a part of it. */
const PARTS = ['-wal', '-journal']

/**
 * Opens the file, or a copy. Throws IngotError CONFIG_INVALID if the folder has no store, STORE_LOCKED while a service
 * uses it, or OUTPUT_UNWRITABLE if a copy is needed and does not fit.
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
      // the copy of a read-only file is read-only too
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

/** Keeps services out while the snapshot is open, if the folder has their lock file. */
function holdFolder(folder: string): () => void {
  const file = join(folder, LOCK_FILE)
  // the file of items was copied alone, so no service uses it
  if (!existsSync(file)) return () => {}
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    db.exec('BEGIN')
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
  } catch (cause) {
    db.close()
    throw folderLockedError(folder, cause)
  }
  return () => db.close()
}
