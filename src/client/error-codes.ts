/** Errors of a remote service that a command calls. */
import { type ErrorKinds, passing, rejected } from '../std/error-kind.ts'

export const CLIENT_ERRORS = {
  REMOTE_REFUSED: rejected(502, 'follow the detail of the response; the same request will fail again'),
  REMOTE_UNREACHABLE: passing(502, 'check the address and that the service runs'),
} as const satisfies ErrorKinds
