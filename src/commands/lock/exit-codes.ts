/** The exit codes of `ingot lock` that are not those of its command. */
import { constants } from 'node:os'
import type { IngotError } from '../../errors/error.ts'
import { LockError } from '../../lock/lock-error.ts'
import { EXIT } from '../line/command.ts'

/** Sources: sysexits(3) for 69, 74 and 75; POSIX, "Exit Status for Commands", for 126 and 127. */
const CODES = { unavailable: 69, lost: 74, held: 75, notStarted: 126, notFound: 127 } as const

export const EXIT_CODES = `Exit codes: that of COMMAND, or 128 + n if signal n ended COMMAND or the wait. ${CODES.held}: another held the lock for all of
the wait. ${CODES.unavailable}: the lock service was unavailable. ${CODES.lost}: the lock was lost, and COMMAND was stopped. ${CODES.notStarted}, ${CODES.notFound}: COMMAND
could not be started. ${EXIT.usage}: wrong usage or configuration.`

const INPUT: ReadonlySet<string> = new Set(['LOCK_KEY_INVALID', 'LOCK_OPTION_INVALID'])

/** Returns the exit code for an error of the lock, or of the start of the command. */
export function exitCodeOf(error: IngotError): number {
  if (error instanceof LockError && error.reason === 'held') return CODES.held
  if (error instanceof LockError && error.reason === 'lost') return CODES.lost
  if (error.code === 'PROGRAM_NOT_FOUND') return CODES.notFound
  if (error.code === 'PROGRAM_NOT_STARTED') return CODES.notStarted
  if (INPUT.has(error.code)) return EXIT.usage
  // a failure of this program itself must not look like one of the lock service
  return error.code === 'INTERNAL' ? EXIT.failed : CODES.unavailable
}

/** Returns the exit code of a process that a signal ended, as shells do. */
export function signalCode(name: NodeJS.Signals): number {
  return 128 + constants.signals[name]
}
