/** The status of a drill that runs without the custom resource, in a file. `ingot drill undo FILE` carries its undo list out. */
import { mkdirSync, readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { IngotError, reasonOf } from '../../../errors/error.ts'
import { DRILL_STATUS } from '../../spec/status.ts'
import type { DrillLog } from '../progress.ts'

const FILE = Type.Object({
  drill: Type.String(),
  namespace: Type.String(),
  release: Type.String(),
  status: DRILL_STATUS,
})

/** A drill with its last status. */
export interface DrillFile {
  readonly drill: string
  readonly namespace: string
  readonly release: string
}

/** Returns a log that replaces the file as a whole, so that a reader never sees half of it. Throws OUTPUT_UNWRITABLE. */
export function createFileLog(path: string, drill: DrillFile): DrillLog {
  try {
    mkdirSync(dirname(path), { recursive: true })
  } catch (cause) {
    throw new IngotError('OUTPUT_UNWRITABLE', `the folder of "${path}" cannot be made: ${reasonOf(cause)}`, { cause })
  }
  return {
    async write(facts) {
      const part = `${path}.part`
      await using file = await open(part, 'w')
      await file.writeFile(`${JSON.stringify({ ...drill, status: facts }, null, 2)}\n`)
      // the steps must survive a loss of power before the fault is injected
      await file.sync()
      await rename(part, path)
    },
  }
}

/** Reads a file of `createFileLog`. Throws IngotError INPUT_UNREADABLE. */
export function readDrillFile(path: string) {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new IngotError('INPUT_UNREADABLE', `"${path}" cannot be read: ${reasonOf(cause)}`, { cause })
  }
  if (Value.Check(FILE, value)) return value
  const [error] = Value.Errors(FILE, value)
  throw new IngotError(
    'INPUT_UNREADABLE',
    `"${path}" is no status of a drill: ${error?.instancePath} ${error?.message}`,
  )
}
