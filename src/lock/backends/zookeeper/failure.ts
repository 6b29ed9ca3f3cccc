/** The errors of the client: what a server refused, and why a connection ended. */
import { type ErrorCode, IngotError, reasonOf } from '../../../errors/error.ts'
import { isTlsFailure } from '../../../std/tls-failure.ts'
import { CODE } from './wire.ts'

/** Thrown for a request that a server refused. The connection is in order. */
export class Refusal extends Error {
  readonly code: number

  constructor(code: number) {
    super(`error ${code}`)
    this.code = code
  }
}

/** Thrown when the servers have ended the session. */
export class SessionExpired extends Error {}

export const isRefusal = (thrown: unknown, code: number): boolean => thrown instanceof Refusal && thrown.code === code

const ACCESS: readonly number[] = [CODE.noAuth, CODE.authFailed, CODE.needsSasl]
const UNSUITABLE: readonly number[] = [CODE.unimplemented]

/** Returns the error that callers get. */
export function zookeeperFailure(thrown: unknown, base = 'the nodes of the locks'): IngotError {
  if (thrown instanceof IngotError) return thrown
  if (!(thrown instanceof Refusal)) return failed('LOCK_BACKEND_UNAVAILABLE', reasonOf(thrown), thrown)
  const { code } = thrown
  if (code === CODE.needsSasl) return failed('LOCK_ACCESS_REFUSED', 'the servers want SASL, which is not supported')
  if (ACCESS.includes(code)) return failed('LOCK_ACCESS_REFUSED', `the user has no rights on ${base}`, thrown)
  if (UNSUITABLE.includes(code)) return failed('LOCK_UNSUITABLE', 'the locks need version 3.5.3 or newer', thrown)
  return failed('LOCK_BACKEND_UNAVAILABLE', `the servers refused a request with ${thrown.message}`, thrown)
}

/** Returns the error of a connection that ended. `isOpen`: after its session had begun. */
export function connectionFailure(where: string, cause: unknown, isOpen: boolean, usesTls: boolean): IngotError {
  const code: ErrorCode = isTlsFailure(cause) ? 'LOCK_TLS_FAILED' : 'LOCK_BACKEND_UNAVAILABLE'
  const isCutOff = !isOpen && /ended the connection|before secure TLS|ECONNRESET|EPIPE/.test(reasonOf(cause))
  // a server with TLS ends a connection without it, the other way round too, and so does one that does not serve yet
  const scheme = usesTls
    ? 'not use TLS, the URL must begin with zookeeper://'
    : 'use TLS, the URL must begin with zookeepers://'
  const hint = isCutOff ? ` (the server may have no majority yet; if it does ${scheme})` : ''
  return failed(code, `${where}: ${reasonOf(cause)}${hint}`, cause)
}

function failed(code: ErrorCode, reason: string, cause?: unknown): IngotError {
  return new IngotError(code, `zookeeper: ${reason}`, cause === undefined ? {} : { cause })
}
