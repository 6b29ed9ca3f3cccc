/** What the store's file holds, read without the service: by SQL alone, from a copy of the folder. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export interface FileRow {
  readonly collection: string
  /** As the service writes it, such as `j1-<64 hex>`. */
  readonly id: string
  readonly media: string
  readonly content: Buffer
}

/** Every row of the items table. Throws when SQLite finds the file damaged. */
export function readStoredFile(data: string): readonly FileRow[] {
  // a copy: to open it is to recover it, which is the service's own job at its next start
  const copy = mkdtempSync(join(tmpdir(), 'ingot-copy-'))
  try {
    cpSync(data, copy, { recursive: true })
    return readRows(join(copy, 'items.sqlite'))
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function readRows(file: string): readonly FileRow[] {
  const db = new DatabaseSync(file)
  try {
    const verdict = db
      .prepare('PRAGMA integrity_check')
      .all()
      .map((row) => String(row['integrity_check']))
    if (verdict.join() !== 'ok') throw new Error(`SQLite says of ${file}: ${verdict.join('; ')}`)
    return db
      .prepare(
        `SELECT c.name, hex(i.id) AS id, coalesce(i.media, 'application/json') AS media, i.content
         FROM items i JOIN collections c ON c.id = i.collection`,
      )
      .all()
      .map((row) => ({
        collection: String(row['name']),
        id: idOfHex(String(row['id'])),
        media: String(row['media']),
        content: Buffer.from(row['content'] as Uint8Array),
      }))
  } finally {
    db.close()
  }
}

/** Two characters of version, then the digest. */
function idOfHex(hex: string): string {
  return `${Buffer.from(hex.slice(0, 4), 'hex').toString('latin1')}-${hex.slice(4).toLowerCase()}`
}
