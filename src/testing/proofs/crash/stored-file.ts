/** What the store's file holds, read without the service. */
import { eachSqliteRow, type FileRow } from '../../../drill/final-store/sqlite.ts'

/** Every row of the items table. Throws when SQLite finds the file damaged. */
export function readStoredFile(data: string): readonly FileRow[] {
  const rows: FileRow[] = []
  eachSqliteRow(data, (row) => void rows.push(row))
  return rows
}
