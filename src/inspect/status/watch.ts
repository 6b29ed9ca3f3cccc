/** Decides what `status --watch` prints. Pure. */
import type { StatusReport } from './report.ts'

/** Numbers that move under load. A change of these alone is no news. */
const MOVING: ReadonlySet<string> = new Set(['at', 'offset', 'lagBytes', 'pendingItems', 'locksHeld', 'locksWaiting'])

/** Returns a text that is equal for two reports without news between them. */
export function newsOf(report: StatusReport): string {
  return JSON.stringify(report, (name, value: unknown) => (MOVING.has(name) ? undefined : value))
}
