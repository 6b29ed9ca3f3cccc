/** What a client would rather have: the Prefer header, RFC 7240. */
import type { FastifyRequest } from 'fastify'
import { IngotError } from '../errors/error.ts'
import type { Clock } from '../std/clock.ts'

/** Longest wait that a client can ask for; it waits anyway as long as the service's own deadlines let it. */
const MAX_WAIT_S = 600

/** Milliseconds of `Prefer: wait=N`; undefined when the client did not say. */
export function preferredWaitMs(request: Pick<FastifyRequest, 'headers'>): number | undefined {
  const text = [request.headers['prefer']].flat().join(',')
  const [, seconds] = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;\s])/i.exec(text) ?? []
  return seconds === undefined ? undefined : Math.min(Number(seconds), MAX_WAIT_S) * 1_000
}

/** Whether the client wants the shortest answer: `Prefer: return=minimal`. */
export function prefersMinimal(request: Pick<FastifyRequest, 'headers'>): boolean {
  return [request.headers['prefer']]
    .flat()
    .some((value) => value !== undefined && /(^|[,;\s])return\s*=\s*"?minimal"?\s*($|[,;])/i.test(value))
}

/**
 * The work's result, or IngotError IN_FLIGHT when that takes longer than the client wants to wait. The work goes on: the
 * same content sent later gets what became of it.
 */
export async function withinWait<T>(work: Promise<T>, waitMs: number | undefined, clock: Clock): Promise<T> {
  if (waitMs === undefined) return work
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = clock.timer(waitMs, () =>
    reject(new IngotError('IN_FLIGHT', `not done within the ${waitMs} ms of Prefer: wait`)),
  )
  // nobody listens any more when the wait was over first
  work.catch(() => {})
  try {
    return await Promise.race([work, late])
  } finally {
    timer.cancel()
  }
}
