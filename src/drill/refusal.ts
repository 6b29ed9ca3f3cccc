/** Decides which responses are certain failures, in the same way for every recorder. */

/**
 * Statuses of requests that were refused before anything was stored. The list excludes 408, 409 (another request saves
 * the same item) and 5xx, including SHUTTING_DOWN, because an attempt to save may have been made.
 */
const REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 404, 413, 415, 422, 429])

/** Returns true if a request with this HTTP status was certainly not stored. */
export function isRefusal(status: number): boolean {
  return REFUSED.has(status)
}
