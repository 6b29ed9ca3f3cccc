/** Errors of a remote service that a command calls. */
import { type ErrorKinds, passing, rejected } from '../std/error-kind.ts'

export const CLIENT_ERRORS = {
  REMOTE_REFUSED: rejected(502, 'do as the answer says; sending the same again will not help'),
  REMOTE_UNREACHABLE: passing(502, 'check the address and that the service runs'),
} as const satisfies ErrorKinds
