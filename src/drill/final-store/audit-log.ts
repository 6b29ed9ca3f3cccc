/**
 * Reads the log of a backend that saves every request (examples/legacy-backend). The log has one line per save, in
 * commit order. The first save of each key is the stored row; the others are duplicates.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { IngotError } from '../../errors/error.ts'
import type { FinalStore, LoggedSave } from '../checkers/final-store.ts'

const LINE = Type.Object({
  type: Type.Enum(['save', 'look']),
  collection: Type.String(),
  key: Type.String(),
  content: Type.Optional(Type.String()),
  fence: Type.Optional(Type.String()),
})

/** Returns the rows and saves of a log. `where` is a file or an http address. Throws IngotError INPUT_UNREADABLE. */
export async function readAuditLog(where: string, fencing: 'on' | 'off', signal: AbortSignal): Promise<FinalStore> {
  return parseAuditLog(await textOf(where, signal), fencing)
}

/** Parses the text of a log. Throws an Error that names the line. */
export function parseAuditLog(text: string, fencing: 'on' | 'off'): FinalStore {
  // a crash truncated the text after the last line feed: a save that was never acknowledged
  const lines = text.split('\n').slice(0, -1)
  const saves = lines.flatMap((line, index) => (line === '' ? [] : savesOf(line, index + 1)))
  const rows = new Map<string, LoggedSave>()
  for (const save of saves) {
    const key = JSON.stringify([save.collection, save.id])
    if (!rows.has(key)) rows.set(key, save)
  }
  return { rows: [...rows.values()], saves, fencing }
}

function savesOf(text: string, number: number): readonly LoggedSave[] {
  const line = parse(text)
  if (!Value.Check(LINE, line)) throw new IngotError('INPUT_UNREADABLE', `line ${number} of the audit log is malformed`)
  if (line.type === 'look') return []
  const bytes = createHash('sha256')
    .update(Buffer.from(line.content ?? '', 'base64'))
    .digest('hex')
  const save = { collection: line.collection, id: line.key, bytes }
  return [line.fence === undefined ? save : { ...save, fence: line.fence }]
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // the caller adds the number of the line
    return undefined
  }
}

async function textOf(where: string, signal: AbortSignal): Promise<string> {
  try {
    if (!/^https?:/.test(where)) return readFileSync(where, 'utf8')
    const response = await fetch(where, { signal })
    if (!response.ok) throw new Error(`the response has status ${response.status}`)
    return await response.text()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new IngotError('INPUT_UNREADABLE', `cannot read the audit log "${where}": ${why}`, { cause })
  }
}
