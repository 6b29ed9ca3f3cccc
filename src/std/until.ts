/** Waits for what nobody tells of: it is looked for again and again, up to a deadline. */
import { systemClock } from './clock.ts'

/** What a look came to: it is there, or what is still missing. */
export type Attempt<T> = { readonly value: T } | { readonly missing: string; readonly cause?: unknown }

export interface Patience {
  readonly withinMs: number
  /** Between two looks, milliseconds. Default: 50. */
  readonly everyMs?: number
  /** Default: none, and then only the deadline ends it. */
  readonly signal?: AbortSignal
}

/** A look that fails is one of which its failure is missing. Rejects after the time with the last of them, and with the signal's reason. */
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

/** Looks until the check holds. `what` says what it is about: it is missing also when the check fails. */
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
