/** Reads the store's file without the service. */
import { eachSqliteRow, type FileRow } from '../../../drill/final-store/sqlite.ts'

/** Returns every row of the items table. Throws if SQLite reports damage. */
export function readStoredFile(data: string): readonly FileRow[] {
  const rows: FileRow[] = []
  eachSqliteRow(data, (row) => void rows.push(row))
  return rows
}
