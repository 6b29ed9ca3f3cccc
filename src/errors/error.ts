import { ERRORS, type ErrorCode } from './codes.ts'

export { ERRORS, type ErrorCode } from './codes.ts'

export interface IngotErrorOptions {
  readonly cause?: unknown
  /**
   * Machine-readable facts for the problem body, such as a position, a limit or a line. Never a secret, never content.
   */
  readonly facts?: Readonly<Record<string, string | number | boolean>>
}

/**
 * The only class of errors that ingot throws. The message names the failure and its subject; the code has the remedy.
 */
export class IngotError extends Error {
  readonly code: ErrorCode
  readonly facts: Readonly<Record<string, string | number | boolean>>

  constructor(code: ErrorCode, message: string, options: IngotErrorOptions = {}) {
    const { stackTraceLimit } = Error
    if (!ERRORS[code].hasStack) Error.stackTraceLimit = 0
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    Error.stackTraceLimit = stackTraceLimit
    this.name = 'IngotError'
    this.code = code
    this.facts = options.facts ?? {}
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }

  get status(): number {
    return ERRORS[this.code].status
  }
}

/** Returns an IngotError as it is. Wraps any other value as the cause of an INTERNAL error. */
export function toIngotError(thrown: unknown): IngotError {
  if (thrown instanceof IngotError) return thrown
  return new IngotError('INTERNAL', reasonOf(thrown), { cause: thrown })
}

/**
 * Returns the reason of a failure as text for a message. The text is never empty: Node reports a host whose addresses
 * all refuse as an AggregateError without a message of its own, so the reasons of its parts are joined.
 */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  if (thrown.message !== '') return thrown.message
  return thrown instanceof AggregateError ? thrown.errors.map(reasonOf).join(', ') : thrown.name
}
