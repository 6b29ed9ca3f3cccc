/** Errors of the operator. */
import { type ErrorKinds, passing } from '../std/error-kind.ts'

export const OPERATOR_ERRORS = {
  TOPOLOGY_UNOBSERVABLE: passing(503, 'follow the message; the topology is observed again by itself'),
} as const satisfies ErrorKinds
