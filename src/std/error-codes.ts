/** Errors of the process itself and of its files. */
import { type ErrorKinds, rejected } from './error-kind.ts'

export const STD_ERRORS = {
  INTERNAL: rejected(500, 'report it with the trace id', 'report it, with what INGOT_LOG_LEVEL=debug adds'),
  INPUT_UNREADABLE: rejected(500, 'check the file: its name, who may read it, whether it is whole'),
  OUTPUT_UNWRITABLE: rejected(500, 'check the folder: its name, who may write in it, the room on its disk'),
} as const satisfies ErrorKinds
