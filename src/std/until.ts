/** Polls for a condition that sends no notification, up to a deadline. */
import { systemClock } from './clock.ts'

/** The result of one check: the value, or a description of what is still missing. */
export type Attempt<T> = { readonly value: T } | { readonly missing: string; readonly cause?: unknown }

export interface WaitLimits {
  readonly withinMs: number
  /** Time between two checks, in milliseconds. Default: 50. */
  readonly everyMs?: number
  /** Ends the wait early. Default: none. */
  readonly signal?: AbortSignal
}

/**
 * Polls until `check` returns a value. A check that throws counts as missing. Rejects after `withinMs` with the last
 * missing part, or with the signal's reason.
 */
export async function until<T>(check: () => Promise<Attempt<T>>, limits: WaitLimits): Promise<T> {
  const { withinMs, everyMs = 50, signal } = limits
  const endMs = performance.now() + withinMs
  for (;;) {
    signal?.throwIfAborted()
    const seen = await check().catch((cause: unknown) => ({ missing: String(cause), cause }))
    if ('value' in seen) return seen.value
    if (performance.now() > endMs) {
      throw new Error(`not within ${withinMs / 1_000} s: ${seen.missing}`, { cause: seen.cause })
    }
    await systemClock.sleep(everyMs, signal)
  }
}

/** Polls until the check returns true. `what` names the condition in the error; a check that throws counts as false. */
export function untilTrue(what: string, check: () => Promise<boolean>, limits: WaitLimits): Promise<true> {
  const attempt = async (): Promise<Attempt<true>> => {
    try {
      return (await check()) ? { value: true } : { missing: what }
    } catch (cause) {
      return { missing: what, cause }
    }
  }
  return until(attempt, limits)
}
