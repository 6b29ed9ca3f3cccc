/** Why a lock was not obtained or not kept, as a kind that callers can branch on. */
import { type ErrorCode, type FaultOptions, IngotError } from '../std/error.ts'

/**
 * The kind of a failure; the code says more, and there may be new codes of a kind at any time.
 * `held`: another holder had the key for all of the wait.
 * `unanswered`: the wait ended before the lock service had answered, so it is unknown whether the key was free.
 * `unavailable`: an outage. The lock service, or the store of its fences, did not serve.
 * `lost`: the lease ended before the work did.
 * `overloaded`: too many callers of this process wait already.
 * `closed`: the locker was disposed.
 */
export type LockFailure = 'held' | 'unanswered' | 'unavailable' | 'lost' | 'overloaded' | 'closed'

/** What `Locker` and `Grant` throw, but for invalid input (`IngotError`) and the reason of a caller's own signal. */
export class LockError extends IngotError {
  readonly reason: LockFailure

  constructor(reason: LockFailure, code: ErrorCode, message: string, options?: FaultOptions) {
    super(code, message, options)
    this.reason = reason
  }
}

/** An outage, thrown. Code, message and facts are the backend's own. */
export function outageError(error: IngotError): LockError {
  if (error instanceof LockError && error.reason === 'unavailable') return error
  return new LockError('unavailable', error.code, error.message, { cause: error, facts: error.facts })
}

/** The wait was over, and another holder had the key. */
export function heldError(waitMs: number): LockError {
  return new LockError('held', 'LOCK_TIMEOUT', `the lock was not free within ${waitMs} ms`, { facts: { waitMs } })
}

/** The wait was over before an answer came. */
export function unansweredError(waitMs: number): LockError {
  const message = `the lock service did not answer within the ${waitMs} ms of the wait`
  return new LockError('unanswered', 'LOCK_TIMEOUT', message, { facts: { waitMs } })
}

export function closedError(): LockError {
  return new LockError('closed', 'SHUTTING_DOWN', 'the locker is closed')
}

/** Whether the wait was over, for whatever reason it was in vain. */
export function isTimeUp(thrown: unknown): thrown is LockError {
  return thrown instanceof LockError && thrown.code === 'LOCK_TIMEOUT'
}
