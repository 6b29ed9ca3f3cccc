/**
 * One process per data folder. The lock is SQLite's own exclusive lock on a file beside the data: the operating
 * system drops it when the process ends, however it ends, so there is no stale lock to clear by hand.
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

/** Makes the folder when missing. Throws IngotError STORE_LOCKED while another process has it. */
export function lockFolder(folder: string): FolderLock {
  makeFolder(folder)
  const db = new DatabaseSync(join(folder, LOCK_FILE))
  try {
    db.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (cause) {
    db.close()
    throw lockedFolder(folder, cause)
  }
  writeFileSync(join(folder, OWNER_FILE), `${process.pid}\n`)
  return { release: () => db.close() }
}

const OWNER_FILE = 'owner'

/** That another process has the folder. */
export function lockedFolder(folder: string, cause: unknown): IngotError {
  return new IngotError('STORE_LOCKED', `data folder "${folder}" is in use by ${ownerOf(folder)}`, { cause })
}

function ownerOf(folder: string): string {
  try {
    return `process ${readFileSync(join(folder, OWNER_FILE), 'utf8').trim()}`
  } catch {
    // the name of the owner is a courtesy; the lock itself is what counts
    return 'another process'
  }
}
