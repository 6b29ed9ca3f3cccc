/** What failures of SQLite mean. */
import { type ErrorCode, IngotError } from '../../../errors/error.ts'

/**
 * SQLite's primary result codes that mean that the file is damaged: CORRUPT and NOTADB say so. The others are what
 * statements that are right meet on a schema or on rows that are not what they were: ERROR (no such column), TOOBIG,
 * CONSTRAINT, MISMATCH. Source: sqlite.org/rescode.html.
 */
const CORRUPT = new Set([1, 11, 18, 19, 20, 26])

/** The code of the fault that a failure is. */
export function codeOf(thrown: unknown): ErrorCode {
  if (thrown instanceof IngotError) return thrown.code
  // an integer beyond 2^53: none was stored
  if (thrown instanceof RangeError) return 'STORE_CORRUPT'
  const errcode = thrown instanceof Error && 'errcode' in thrown ? Number(thrown.errcode) & 0xff : 0
  return CORRUPT.has(errcode) ? 'STORE_CORRUPT' : 'STORE_UNAVAILABLE'
}
