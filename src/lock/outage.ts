/** How adapters and policy say that a backend did not serve. */
import { type ErrorCode, IngotError } from '../std/error.ts'
import type { Unavailable } from './lock.ts'

/** An outage as a value. The cause stays in the error; a cause that is a `IngotError` already is taken as it is. */
export function unavailable(
  message: string,
  cause?: unknown,
  code: ErrorCode = 'LOCK_BACKEND_UNAVAILABLE',
): Unavailable {
  return { kind: 'unavailable', error: cause instanceof IngotError ? cause : new IngotError(code, message, { cause }) }
}

/** Says that the service serves, but not this key. Nothing was taken under it. */
export function unavailableKey(error: IngotError): Unavailable {
  return { kind: 'unavailable', error: error, scope: 'key' }
}

/** The answer of a call whose signal aborted: nobody knows whether its command landed. */
export function aborted(signal: AbortSignal): Unavailable {
  return unavailable('the call was given up before the lock service answered', signal.reason)
}

/** The answer, or that the caller gave up, whichever is first. Work that is left behind cannot reject unseen. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | Unavailable> {
  return new Promise((resolve, reject) => {
    const quit = (): void => resolve(aborted(signal))
    if (signal.aborted) quit()
    signal.addEventListener('abort', quit, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', quit))
  })
}

/** The abort reason of a call that took longer than a call may. */
export function callTimeUp(): IngotError {
  return new IngotError('LOCK_BACKEND_UNAVAILABLE', 'the lock service did not answer in time')
}
