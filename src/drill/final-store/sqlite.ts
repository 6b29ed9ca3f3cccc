/**
 * Reads the file of the embedded store by SQL alone, from a copy of its folder, because opening the file recovers it.
 */
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { IngotError } from '../../errors/error.ts'
import type { FinalStore } from '../checkers/final-store.ts'
import { idOfHex } from './item-id.ts'

/** A row of the file. */
export interface FileRow {
  readonly collection: string
  /** ID as the service writes it, such as `j1-<64 hex>`. */
  readonly id: string
  readonly media: string
  readonly content: Buffer
}

const FILE = 'items.sqlite'

const ROWS = `
  SELECT c.name, hex(i.id) AS id, coalesce(i.media, 'application/json') AS media, i.content
  FROM items i JOIN collections c ON c.id = i.collection`

/**
 * Calls `take` for every row. Throws IngotError INPUT_UNREADABLE if the folder has no store, or if SQLite reports
 * damage.
 */
export function eachSqliteRow(folder: string, take: (row: FileRow) => void): void {
  if (!existsSync(join(folder, FILE))) throw new IngotError('INPUT_UNREADABLE', `there is no ${FILE} in "${folder}"`)
  const copy = mkdtempSync(join(tmpdir(), 'ingot-copy-'))
  try {
    cpSync(folder, copy, { recursive: true })
    readCopy(join(copy, FILE), take)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function readCopy(file: string, take: (row: FileRow) => void): void {
  const db = new DatabaseSync(file)
  try {
    const found = db.prepare('PRAGMA integrity_check').all()
    const verdict = found.map((row) => String(row['integrity_check'])).join('; ')
    if (verdict !== 'ok') throw new IngotError('INPUT_UNREADABLE', `SQLite reports damage of ${FILE}: ${verdict}`)
    for (const row of db.prepare(ROWS).iterate()) take(fileRow(row))
  } finally {
    db.close()
  }
}

function fileRow(row: Readonly<Record<string, unknown>>): FileRow {
  const content = row['content']
  return {
    collection: String(row['name']),
    id: idOfHex(String(row['id'])),
    media: String(row['media']),
    content: Buffer.from(content instanceof Uint8Array ? content : ''),
  }
}

/** Returns all rows. Throws like `eachSqliteRow`. */
export function readSqliteStore(folder: string): FinalStore {
  const rows: FinalStore['rows'][number][] = []
  eachSqliteRow(folder, ({ collection, id, content }) => {
    rows.push({ collection, id, bytes: createHash('sha256').update(content).digest('hex') })
  })
  return { rows }
}
