/** Errors of the process itself and of its files. */
import { type ErrorKinds, rejected } from './error-kind.ts'

export const STD_ERRORS = {
  INTERNAL: rejected(500, 'report it with the trace id', 'report it, with what INGOT_LOG_LEVEL=debug adds'),
  INPUT_UNREADABLE: rejected(500, 'check the name of the file, its permissions, and that it is complete'),
  OUTPUT_UNWRITABLE: rejected(500, 'check the name of the folder, its permissions, and the free space of its disk'),
} as const satisfies ErrorKinds
