/** Errors of drills. */
import { type ErrorKinds, rejected } from '../std/error-kind.ts'

export const DRILL_ERRORS = {
  DRILL_REFUSED: rejected(409, 'allow drills in the namespace, or wait until the other drill has ended'),
  DRILL_NOT_FOUND: rejected(404, 'check the name of the FailoverDrill and the namespace of the runner'),
} as const satisfies ErrorKinds
