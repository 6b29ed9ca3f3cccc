/** Errors of a command line. */
import { type ErrorKinds, rejected } from '../std/error-kind.ts'

export const COMMAND_ERRORS = {
  USAGE_INVALID: rejected(500, 'see ingot --help, or ingot COMMAND --help'),
} as const satisfies ErrorKinds
