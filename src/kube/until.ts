/** Waits for a state of a cluster. Each check runs one process or more. */
import { type Attempt, until } from '../std/until.ts'

const EVERY_MS = 1_500

/** Checks until the state is reached. Rejects after `withinMs` with what is missing, and with the signal's reason. */
export function untilSeen<T>(check: () => Promise<Attempt<T>>, withinMs: number, signal: AbortSignal): Promise<T> {
  return until(check, { withinMs, everyMs: EVERY_MS, signal })
}
