/** The errors of the lock library. `reason` is the kind of a failure, on which callers can branch. */
import { type ErrorCode, IngotError, type IngotErrorOptions } from '../errors/error.ts'

/**
 * The kind of a failure. The code is more specific, and new codes of a kind may be added.
 * `held`: another holder had the key for all of the wait.
 * `unanswered`: the wait ended before the lock service responded, so it is unknown whether the key was free.
 * `unavailable`: an outage. The lock service, or the store of its fences, did not serve.
 * `lost`: the lease ended before the work did.
 * `overloaded`: too many callers of this process wait already.
 * `closed`: the locker was disposed.
 */
export type LockFailure = 'held' | 'unanswered' | 'unavailable' | 'lost' | 'overloaded' | 'closed'

/** Thrown by `Locker` and `Grant`, except for invalid input (`IngotError`) and the reason of the caller's signal. */
export class LockError extends IngotError {
  readonly reason: LockFailure

  constructor(reason: LockFailure, code: ErrorCode, message: string, options?: IngotErrorOptions) {
    super(code, message, options)
    this.reason = reason
  }
}

/** Returns an outage as an error to throw. Code, message and facts are those of the backend's error. */
export function outageError(error: IngotError): LockError {
  if (error instanceof LockError && error.reason === 'unavailable') return error
  return new LockError('unavailable', error.code, error.message, { cause: error, facts: error.facts })
}

/** Returns the error for a wait that ended while another holder had the key. */
export function heldError(waitMs: number): LockError {
  return new LockError('held', 'LOCK_TIMEOUT', `the lock was not free within ${waitMs} ms`, { facts: { waitMs } })
}

/** Returns the error for a wait that ended before the lock service responded. */
export function unansweredError(waitMs: number): LockError {
  const message = `the lock service did not answer within the ${waitMs} ms of the wait`
  return new LockError('unanswered', 'LOCK_TIMEOUT', message, { facts: { waitMs } })
}

export function closedError(): LockError {
  return new LockError('closed', 'SHUTTING_DOWN', 'the locker is closed')
}

/** Returns true if the wait ended without a grant, for any reason. */
export function isTimeUp(thrown: unknown): thrown is LockError {
  return thrown instanceof LockError && thrown.code === 'LOCK_TIMEOUT'
}
