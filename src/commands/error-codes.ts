/** Errors of a command line. */
import { type ErrorKinds, rejected } from '../std/error-kind.ts'

export const COMMAND_ERRORS = {
  USAGE_INVALID: rejected(500, 'see ingot --help, or ingot COMMAND --help'),
  PROGRAM_NOT_FOUND: rejected(500, 'check the name of the program, and the PATH'),
  PROGRAM_NOT_STARTED: rejected(500, 'check that the file is a program and that you may run it'),
} as const satisfies ErrorKinds
