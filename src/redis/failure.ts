/** What a failed connection or command means for the reader, as one IngotError. */
import { type ErrorCode, IngotError, reasonOf } from '../errors/error.ts'
import { isTlsFailure } from '../std/tls-failure.ts'

/** How the errors begin that a server answers with, and what each means. */
const REPLIES: readonly (readonly [RegExp, ErrorCode])[] = [
  [/^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password|ERR Client sent AUTH)/, 'REDIS_ACCESS_REFUSED'],
  [/^OOM /, 'REDIS_OUT_OF_MEMORY'],
  [/^WRONGTYPE /, 'REDIS_KEY_FOREIGN'],
]

function kindOf(error: unknown): ErrorCode {
  if (error instanceof IngotError) return error.code
  if (isTlsFailure(error) || /wrong version number|socket disconnected before secure TLS/.test(reasonOf(error))) {
    return 'REDIS_TLS_FAILED'
  }
  return REPLIES.find(([begins]) => begins.test(reasonOf(error)))?.[1] ?? 'REDIS_UNREACHABLE'
}

/** `ioredis` wraps what happened to the nodes of a cluster; the node's own error says more. */
function innermost(error: unknown): unknown {
  if (error instanceof Error && 'lastNodeError' in error && error.lastNodeError instanceof Error) {
    return innermost(error.lastNodeError)
  }
  return error
}

/**
 * A connection that failed: `REDIS_TLS_FAILED`, `REDIS_ACCESS_REFUSED` or `REDIS_UNREACHABLE`, whichever the newest
 * telling error says. `errors` are oldest first.
 */
export function connectionError(whom: string, errors: readonly unknown[]): IngotError {
  const inner = errors.map(innermost)
  const telling = inner.findLast((error) => kindOf(error) !== 'REDIS_UNREACHABLE') ?? inner[0]
  if (telling instanceof IngotError) return telling
  const reason = telling === undefined ? 'no answer in time' : reasonOf(telling)
  return new IngotError(kindOf(telling), `cannot use the ${whom}: ${reason}`, { cause: telling })
}

/** A command that failed: the server's error, or that there is no telling whether it ran. */
export function commandError(whom: string, error: unknown): IngotError {
  if (error instanceof IngotError) return error
  return new IngotError(kindOf(error), `${whom}: ${reasonOf(error)}`, { cause: error })
}

/** A command that was never written to a socket, so it cannot have taken effect. */
export class Unsent extends IngotError {
  constructor(message: string) {
    super('REDIS_UNREACHABLE', message)
  }
}

/** Whether the server answered with an error that begins with this word. */
export function isReply(error: unknown, word: string): error is Error {
  return error instanceof Error && error.message.startsWith(`${word} `)
}
