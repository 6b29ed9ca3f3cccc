/** Errors of the stores of reports. */
import { type ErrorKinds, passing, rejected } from '../../../std/error-kind.ts'

export const REPORT_STORE_ERRORS = {
  REPORT_NAME_INVALID: rejected(422, 'use lower case letters, digits, dots and dashes, at most 200 characters'),
  REPORT_TOO_LARGE: rejected(413, 'set report.store of the drill to Claim or Bucket, which have no such limit'),
  REPORT_DAMAGED: rejected(500, 'the stored files do not belong together: take the report from the log of the Job'),
  REPORT_STORE_REFUSED: rejected(403, 'check the address, the region, the credentials and the rights on the store'),
  REPORT_STORE_UNAVAILABLE: passing(503, 'check the network to the store of the reports, then save the report again'),
} as const satisfies ErrorKinds
