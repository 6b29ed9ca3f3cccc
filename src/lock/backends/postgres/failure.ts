/** Turns a failure of Postgres into one error of the lock library. */
import { type ErrorCode, IngotError } from '../../../errors/error.ts'
import { isTlsFailure } from '../../../std/tls-failure.ts'

/** 28: wrong credentials. 42501: a right is missing. 3D000: no such database. Source: PostgreSQL, appendix A. */
const ACCESS = /^(28...|42501|3D000)$/

function codeOf(sqlstate: unknown, cause: unknown): ErrorCode {
  if (typeof sqlstate === 'string' && ACCESS.test(sqlstate)) return 'LOCK_ACCESS_REFUSED'
  if (isTlsFailure(cause)) return 'LOCK_TLS_FAILED'
  const reason = cause instanceof Error ? cause.message : ''
  // the driver's own sentences have no codes
  return /does not support SSL|client password must be a string/.test(reason)
    ? reason.includes('SSL')
      ? 'LOCK_TLS_FAILED'
      : 'LOCK_ACCESS_REFUSED'
    : 'LOCK_BACKEND_UNAVAILABLE'
}

function sqlstateOf(thrown: IngotError): unknown {
  if (thrown.facts['sqlstate'] !== undefined) return thrown.facts['sqlstate']
  return thrown.cause instanceof Error && 'code' in thrown.cause ? thrown.cause.code : undefined
}

/** Returns the error with the code that says what to do. */
export function postgresFailure(thrown: unknown): IngotError {
  if (!(thrown instanceof IngotError)) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    return new IngotError('LOCK_BACKEND_UNAVAILABLE', `Postgres did not answer as it should: ${reason}`, {
      cause: thrown,
    })
  }
  if (thrown.code !== 'LOCK_BACKEND_UNAVAILABLE') return thrown
  const code = codeOf(sqlstateOf(thrown), thrown.cause)
  return new IngotError(code, thrown.message, { cause: thrown.cause, facts: thrown.facts })
}
