/** What a failed connection or command means for the reader, as one Fault. */
import { Fault, type FaultCode } from '../std/fault.ts'

const TLS_CODES =
  /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA)/
const REFUSED = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password|ERR Client sent AUTH)/

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function kindOf(error: unknown): FaultCode {
  if (error instanceof Fault) return error.code
  if (
    TLS_CODES.test(codeOf(error)) ||
    /wrong version number|socket disconnected before secure TLS/.test(messageOf(error))
  ) {
    return 'REDIS_TLS_FAILED'
  }
  return REFUSED.test(messageOf(error)) ? 'REDIS_ACCESS_REFUSED' : 'REDIS_UNREACHABLE'
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
export function connectionFault(whom: string, errors: readonly unknown[]): Fault {
  const inner = errors.map(innermost)
  const telling = inner.findLast((error) => kindOf(error) !== 'REDIS_UNREACHABLE') ?? inner[0]
  if (telling instanceof Fault) return telling
  const reason = telling === undefined ? 'no answer in time' : messageOf(telling)
  return new Fault(kindOf(telling), `cannot use the ${whom}: ${reason}`, { cause: telling })
}

/** A command that failed: the server's error, or that there is no telling whether it ran. */
export function commandFault(whom: string, error: unknown): Fault {
  if (error instanceof Fault) return error
  return new Fault(kindOf(error), `${whom}: ${messageOf(error)}`, { cause: error })
}

/** Whether the server answered with an error that begins with this word. */
export function isReply(error: unknown, word: string): error is Error {
  return error instanceof Error && error.message.startsWith(`${word} `)
}
