/** Turns a failed connection or command into one IngotError. */
import { type ErrorCode, IngotError, reasonOf } from '../errors/error.ts'
import { isTlsFailure } from '../std/tls-failure.ts'

/** Prefixes of error replies, with their codes. */
const REPLIES: readonly (readonly [RegExp, ErrorCode])[] = [
  [/^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password|ERR Client sent AUTH)/, 'REDIS_ACCESS_REFUSED'],
  [/^OOM /, 'REDIS_OUT_OF_MEMORY'],
  [/^WRONGTYPE /, 'REDIS_KEY_FOREIGN'],
]

function codeOf(error: unknown): ErrorCode {
  if (error instanceof IngotError) return error.code
  if (isTlsFailure(error) || /wrong version number|socket disconnected before secure TLS/.test(reasonOf(error))) {
    return 'REDIS_TLS_FAILED'
  }
  return REPLIES.find(([begins]) => begins.test(reasonOf(error)))?.[1] ?? 'REDIS_UNREACHABLE'
}

/** Returns the error of the node, which is more specific than the error that ioredis wraps around it. */
function innermost(error: unknown): unknown {
  if (error instanceof Error && 'lastNodeError' in error && error.lastNodeError instanceof Error) {
    return innermost(error.lastNodeError)
  }
  return error
}

/**
 * Returns the error of a connection that failed, from all its errors, oldest first. The newest one with a code other than
 * `REDIS_UNREACHABLE` takes precedence, such as `REDIS_TLS_FAILED` or `REDIS_ACCESS_REFUSED`.
 */
export function connectionError(target: string, errors: readonly unknown[]): IngotError {
  const inner = errors.map(innermost)
  const specific = inner.findLast((error) => codeOf(error) !== 'REDIS_UNREACHABLE') ?? inner[0]
  if (specific instanceof IngotError) return specific
  const reason = specific === undefined ? 'no reply in time' : reasonOf(specific)
  return new IngotError(codeOf(specific), `cannot use the ${target}: ${reason}`, { cause: specific })
}

/** Returns the error of a command that failed. With `REDIS_UNREACHABLE` the command may have run. */
export function commandError(target: string, error: unknown): IngotError {
  if (error instanceof IngotError) return error
  return new IngotError(codeOf(error), `${target}: ${reasonOf(error)}`, { cause: error })
}

/** Error of a command that was never written to a socket, so it had no effect. */
export class Unsent extends IngotError {
  constructor(message: string) {
    super('REDIS_UNREACHABLE', message)
  }
}

/** Returns true if the error is an error reply that begins with this word. */
export function isReply(error: unknown, word: string): error is Error {
  return error instanceof Error && error.message.startsWith(`${word} `)
}
