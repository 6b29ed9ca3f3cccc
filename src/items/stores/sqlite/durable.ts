/**
 * Syncs that SQLite does not do. SQLite syncs its files and their folder. It does not sync new folders above, or a log
 * that an earlier process wrote without syncing before it died. SQLite treats that log as committed, but a power
 * failure could still lose it, after a client got the outcome `duplicate`.
 */
import { accessSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { IngotError, reasonOf } from '../../../errors/error.ts'

/**
 * Creates a folder and its missing parents, durably. Throws IngotError CONFIG_INVALID if the folder cannot be created
 * or is not writable.
 */
export function makeFolder(folder: string): void {
  const path = resolve(folder)
  const first = inSettings(folder, () => make(path))
  if (first !== undefined) for (let at = path; at !== dirname(first); at = dirname(at)) sync(dirname(at))
}

function inSettings<T>(folder: string, step: () => T): T {
  try {
    return step()
  } catch (cause) {
    const message = `INGOT_DATA: cannot create a data folder at "${folder}": ${reasonOf(cause)}`
    throw new IngotError('CONFIG_INVALID', message, { cause })
  }
}

function make(path: string): string | undefined {
  const first = makeMissing(path)
  accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  return first
}

/**
 * Returns the topmost folder that it created. Node's recursive mkdir loops for ever in a folder that exists but reports
 * ENOENT for new ones, such as /proc.
 */
function makeMissing(path: string): string | undefined {
  if (makeOne(path)) return path
  if (existsSync(path)) return undefined
  const first = makeMissing(dirname(path))
  // an error here is final, because the parent exists
  mkdirSync(path)
  return first ?? path
}

/** Returns false if the folder exists or its parent is missing. */
function makeOne(path: string): boolean {
  try {
    mkdirSync(path)
    return true
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT' && dirname(path) !== path) return false
    if (codeOf(cause) === 'EEXIST' && statSync(path).isDirectory()) return false
    throw cause
  }
}

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
}

/**
 * Syncs the file, regardless of its writer. Call it before SQLite opens the file, because closing a file drops POSIX
 * locks.
 */
export function syncLeftovers(file: string): void {
  if (existsSync(file)) sync(file)
}

function sync(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
