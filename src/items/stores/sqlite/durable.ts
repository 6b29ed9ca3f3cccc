/**
 * What SQLite does not see to itself. It syncs its files and the folder they are in; but not the folders above, when
 * those were just made, and not what an earlier process wrote into the log and died before syncing: SQLite takes that
 * up as committed, and a power cut could still take it away after a client was told `duplicate`.
 */
import { accessSync, closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { IngotError, reasonOf } from '../../../errors/error.ts'

/**
 * Makes a folder and those above it that are missing; afterwards a power cut leaves them there. Throws IngotError
 * CONFIG_INVALID where no folder can be made, or none that this process can write to.
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
    const message = `INGOT_DATA: there can be no data folder at "${folder}": ${reasonOf(cause)}`
    throw new IngotError('CONFIG_INVALID', message, { cause })
  }
}

function make(path: string): string | undefined {
  const first = makeMissing(path)
  accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  return first
}

/**
 * Returns the topmost folder that it made. The recursive mkdir of Node is no alternative: where a folder exists that
 * takes no new ones and says ENOENT, as /proc does, it tries for ever.
 */
function makeMissing(path: string): string | undefined {
  if (makeOne(path)) return path
  if (existsSync(path)) return undefined
  const first = makeMissing(dirname(path))
  // whatever this says now is final: the folder above exists
  mkdirSync(path)
  return first ?? path
}

/** Returns false if a folder is there or the one above is missing. */
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

/** Makes durable what is in the file, whoever wrote it. Call it before SQLite opens the file: closing drops POSIX locks. */
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
