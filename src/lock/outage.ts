/** Builds the values that report an outage of a backend. */
import { type ErrorCode, IngotError } from '../errors/error.ts'
import type { Unavailable } from './lock.ts'

/** Returns an outage as a value. A cause that is an `IngotError` becomes its error; any other cause is wrapped. */
export function unavailable(
  message: string,
  cause?: unknown,
  code: ErrorCode = 'LOCK_BACKEND_UNAVAILABLE',
): Unavailable {
  return { kind: 'unavailable', error: cause instanceof IngotError ? cause : new IngotError(code, message, { cause }) }
}

/** Returns the outcome for a key that cannot be served by a working service. The command took no effect. */
export function unavailableKey(error: IngotError): Unavailable {
  return { kind: 'unavailable', error: error, scope: 'key' }
}

/** Returns the outcome of a call whose signal aborted. Its command may have taken effect. */
export function aborted(signal: AbortSignal): Unavailable {
  return unavailable('the call was aborted before the lock service responded', signal.reason)
}

/** Resolves with the work's result, or with `aborted` if the signal aborts first. A later rejection is handled. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | Unavailable> {
  return new Promise((resolve, reject) => {
    const quit = (): void => resolve(aborted(signal))
    if (signal.aborted) quit()
    signal.addEventListener('abort', quit, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', quit))
  })
}

/** Returns the abort reason of a call that exceeded its time limit. */
export function callTimeUp(): IngotError {
  return new IngotError('LOCK_BACKEND_UNAVAILABLE', 'the lock service did not respond in time')
}
