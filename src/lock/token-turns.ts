/**
 * Runs the calls of one token one after the other. A call whose caller gave up is still under way. A release that
 * overtakes such an acquisition would leave a lock that no process knows.
 */
import type { IngotError } from '../errors/error.ts'
import type { Token, Unavailable } from './lock.ts'
import { aborted, orAborted, unavailable } from './outage.ts'

export interface TokenTurns {
  /**
   * Runs the work after all earlier calls of these tokens have ended. Returns `aborted` as soon as the signal aborts; the
   * work is left out if it has not begun, and otherwise goes on. An error becomes `unavailable`.
   */
  run<T>(tokens: readonly Token[], signal: AbortSignal, work: () => Promise<T>): Promise<T | Unavailable>
}

/** Creates the turns of one backend. `describe` turns a failure into the error that callers get. */
export function createTokenTurns(describe: (thrown: unknown) => IngotError): TokenTurns {
  const last = new Map<Token, Promise<unknown>>()

  async function chained<T>(tokens: readonly Token[], work: () => Promise<T>): Promise<T> {
    const before = tokens.flatMap((token) => last.get(token) ?? [])
    const run = before.length === 0 ? work() : Promise.allSettled(before).then(work)
    for (const token of tokens) last.set(token, run)
    try {
      return await run
    } finally {
      for (const token of tokens) if (last.get(token) === run) last.delete(token)
    }
  }

  return {
    run<T>(tokens: readonly Token[], signal: AbortSignal, work: () => Promise<T>): Promise<T | Unavailable> {
      if (signal.aborted) return Promise.resolve(aborted(signal))
      const outcome = chained<T | Unavailable>(tokens, async () => (signal.aborted ? aborted(signal) : work()))
      const settled = outcome.catch((thrown: unknown) => unavailable('', describe(thrown)))
      return orAborted(settled, signal)
    },
  }
}
