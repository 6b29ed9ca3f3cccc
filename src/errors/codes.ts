/** Every error code of ingot. A code is stable: clients, alerts and runbooks match on it. */
import { CLIENT_ERRORS } from '../client/error-codes.ts'
import { COMMAND_ERRORS } from '../commands/error-codes.ts'
import { CONFIG_ERRORS } from '../config/error-codes.ts'
import { DRILL_ERRORS } from '../drill/error-codes.ts'
import { REPORT_STORE_ERRORS } from '../drill/report/store/error-codes.ts'
import { HTTP_ERRORS } from '../http/error-codes.ts'
import { IDENTITY_ERRORS } from '../identity/error-codes.ts'
import { INSPECT_ERRORS } from '../inspect/error-codes.ts'
import { ITEM_ERRORS } from '../items/error-codes.ts'
import { KUBE_ERRORS } from '../kube/error-codes.ts'
import { LOCK_ERRORS } from '../lock/error-codes.ts'
import { OPERATOR_ERRORS } from '../operator/error-codes.ts'
import { REDIS_ERRORS } from '../redis/error-codes.ts'
import { STD_ERRORS } from '../std/error-codes.ts'
import type { ErrorKind } from '../std/error-kind.ts'

export const ERRORS = {
  ...IDENTITY_ERRORS,
  ...HTTP_ERRORS,
  ...ITEM_ERRORS,
  ...LOCK_ERRORS,
  ...REDIS_ERRORS,
  ...KUBE_ERRORS,
  ...OPERATOR_ERRORS,
  ...INSPECT_ERRORS,
  ...DRILL_ERRORS,
  ...REPORT_STORE_ERRORS,
  ...CONFIG_ERRORS,
  ...COMMAND_ERRORS,
  ...CLIENT_ERRORS,
  ...STD_ERRORS,
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERRORS
