/** Errors of the configuration. */
import { type ErrorKinds, rejected } from '../std/error-kind.ts'

export const CONFIG_ERRORS = {
  CONFIG_INVALID: rejected(500, 'correct the settings named, then start again'),
} as const satisfies ErrorKinds
