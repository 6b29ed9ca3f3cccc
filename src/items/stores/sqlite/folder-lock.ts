/**
 * Ensures that one process uses a data folder. The lock is SQLite's exclusive lock on a file beside the data. The
 * operating system releases it when the process ends for any reason, so a stale lock is impossible.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { IngotError } from '../../../errors/error.ts'
import { makeFolder } from './durable.ts'

export interface FolderLock {
  release(): void
}

export const LOCK_FILE = 'lock.sqlite'

/** Locks the folder. Creates it if it is missing. Throws IngotError STORE_LOCKED if another process has the lock. */
export function lockFolder(folder: string): FolderLock {
  makeFolder(folder)
  const db = new DatabaseSync(join(folder, LOCK_FILE))
  try {
    db.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (cause) {
    db.close()
    throw folderLockedError(folder, cause)
  }
  writeFileSync(join(folder, OWNER_FILE), `${process.pid}\n`)
  return { release: () => db.close() }
}

const OWNER_FILE = 'owner'

/** Returns the error for a folder that another process has locked. */
export function folderLockedError(folder: string, cause: unknown): IngotError {
  return new IngotError('STORE_LOCKED', `data folder "${folder}" is in use by ${ownerOf(folder)}`, { cause })
}

function ownerOf(folder: string): string {
  try {
    return `process ${readFileSync(join(folder, OWNER_FILE), 'utf8').trim()}`
  } catch {
    // the owner is informative only; the lock decides
    return 'another process'
  }
}
