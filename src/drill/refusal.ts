/** Which answers are certain failures, for every recorder alike. */

/**
 * Statuses by which nothing was stored: refused before anything was begun. Not 409 (somebody else is saving it), 408,
 * and no 5xx, SHUTTING_DOWN among them: an attempt may stand behind it.
 */
const REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 404, 413, 415, 422, 429])

export function isRefusal(status: number): boolean {
  return REFUSED.has(status)
}
