/** Waits in a cluster, where each look is a process or more. */
import { type Attempt, until } from '../std/until.ts'

const EVERY_MS = 1_500

/** Rejects after `withinMs` with what was still missing, and with the signal's reason. */
export function untilSeen<T>(look: () => Promise<Attempt<T>>, withinMs: number, signal: AbortSignal): Promise<T> {
  return until(look, { withinMs, everyMs: EVERY_MS, signal })
}
