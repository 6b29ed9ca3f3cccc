/**
 * What SQLite does not see to itself. It syncs its files and the folder they are in; but not the folders above, when
 * those were just made, and not what an earlier process wrote into the log and died before syncing: SQLite takes that
 * up as committed, and a power cut could still take it away after a client was told `duplicate`.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { Fault, reasonOf } from '../../std/fault.ts'

/**
 * Makes a folder and those above it that are missing; afterwards a power cut leaves them there. Throws Fault
 * CONFIG_INVALID where none can be.
 */
export function makeFolder(folder: string): void {
  const first = make(folder)
  if (first === undefined) return
  const top = dirname(resolve(first))
  for (let at = resolve(folder); at !== top; at = dirname(at)) sync(dirname(at))
}

function make(folder: string): string | undefined {
  try {
    return mkdirSync(folder, { recursive: true })
  } catch (cause) {
    const message = `INGOT_DATA: there can be no data folder at "${folder}": ${reasonOf(cause)}`
    throw new Fault('CONFIG_INVALID', message, { cause })
  }
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
