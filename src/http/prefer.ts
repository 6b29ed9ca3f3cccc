/** Reads the preferences of a client from the Prefer header (RFC 7240). */
import type { FastifyRequest } from 'fastify'
import { IngotError } from '../errors/error.ts'
import type { Clock } from '../std/clock.ts'

/** Longest wait that a client can set, in seconds. Without it the service's own deadlines bound the wait. */
const MAX_WAIT_S = 600

/** Returns N of `Prefer: wait=N` in milliseconds, or undefined if the header does not set it. */
export function preferredWaitMs(request: Pick<FastifyRequest, 'headers'>): number | undefined {
  const text = [request.headers['prefer']].flat().join(',')
  const [, seconds] = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;\s])/i.exec(text) ?? []
  return seconds === undefined ? undefined : Math.min(Number(seconds), MAX_WAIT_S) * 1_000
}

/** Returns true if the client asks for the shortest response with `Prefer: return=minimal`. */
export function prefersMinimal(request: Pick<FastifyRequest, 'headers'>): boolean {
  return [request.headers['prefer']]
    .flat()
    .some((value) => value !== undefined && /(^|[,;\s])return\s*=\s*"?minimal"?\s*($|[,;])/i.test(value))
}

/**
 * Resolves with the result of `work`. Rejects with IngotError IN_FLIGHT if that takes longer than `waitMs`. The work
 * goes on: when the client sends the same content again, it gets the outcome.
 */
export async function withinWait<T>(work: Promise<T>, waitMs: number | undefined, clock: Clock): Promise<T> {
  if (waitMs === undefined) return work
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = clock.timer(waitMs, () =>
    reject(new IngotError('IN_FLIGHT', `not done within the ${waitMs} ms of Prefer: wait`)),
  )
  // the result has no reader if the wait ended first
  work.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    timer.cancel()
  }
}
