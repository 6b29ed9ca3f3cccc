/** Translates errors of SQLite into codes. */
import { type ErrorCode, IngotError } from '../../../errors/error.ts'

/**
 * SQLite's primary result codes for a damaged file. CORRUPT and NOTADB report damage. Correct statements get the others
 * only from a damaged schema or damaged rows: ERROR (no such column), TOOBIG, CONSTRAINT, MISMATCH. Source:
 * sqlite.org/rescode.html.
 */
const CORRUPT = new Set([1, 11, 18, 19, 20, 26])

/** Returns the code for an error. */
export function errorCodeOf(thrown: unknown): ErrorCode {
  if (thrown instanceof IngotError) return thrown.code
  // an integer beyond 2^53, which was never stored
  if (thrown instanceof RangeError) return 'STORE_CORRUPT'
  const errcode = thrown instanceof Error && 'errcode' in thrown ? Number(thrown.errcode) & 0xff : 0
  return CORRUPT.has(errcode) ? 'STORE_CORRUPT' : 'STORE_UNAVAILABLE'
}
