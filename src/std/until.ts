/** Polls for a condition that sends no notification, up to a deadline. */
import { systemClock } from './clock.ts'

/** The result of one check: the value, or a description of what is still missing. */
export type Attempt<T> = { readonly value: T } | { readonly missing: string; readonly cause?: unknown }

export interface Patience {
  readonly withinMs: number
  /** Time between two checks, in milliseconds. Default: 50. */
  readonly everyMs?: number
  /** Ends the wait early. Default: none. */
  readonly signal?: AbortSignal
}

/**
 * Polls until `look` returns a value. A check that throws counts as missing. Rejects after `withinMs` with the last
 * missing part, or with the signal's reason.
 */
export async function until<T>(look: () => Promise<Attempt<T>>, patience: Patience): Promise<T> {
  const { withinMs, everyMs = 50, signal } = patience
  const endMs = performance.now() + withinMs
  for (;;) {
    signal?.throwIfAborted()
    const seen = await look().catch((cause: unknown) => ({ missing: String(cause), cause }))
    if ('value' in seen) return seen.value
    if (performance.now() > endMs) {
      throw new Error(`not within ${withinMs / 1_000} s: ${seen.missing}`, { cause: seen.cause })
    }
    await systemClock.sleep(everyMs, signal)
  }
}

/** Polls until the check returns true. `what` names the condition in the error; a check that throws counts as false. */
export function untilTrue(what: string, check: () => Promise<boolean>, patience: Patience): Promise<true> {
  const look = async (): Promise<Attempt<true>> => {
    try {
      return (await check()) ? { value: true } : { missing: what }
    } catch (cause) {
      return { missing: what, cause }
    }
  }
  return until(look, patience)
}
