/** Errors of the kubectl plugin. */
import { type ErrorKinds, rejected } from '../std/error-kind.ts'

export const INSPECT_ERRORS = {
  RELEASE_NOT_FOUND: rejected(404, 'name the namespace and the release: --namespace NAMESPACE --release RELEASE'),
  RELEASE_AMBIGUOUS: rejected(409, 'choose one of them: --release RELEASE'),
} as const satisfies ErrorKinds
