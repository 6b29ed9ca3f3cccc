/**
 * Describes an error code. Each folder declares its codes in its own `error-codes.ts`; `errors/codes.ts` collects them.
 */

export interface ErrorKind {
  /** The HTTP status of a response that ends with this error. */
  readonly status: number
  /** True if the same request may succeed later without a change. */
  readonly retryable: boolean
  /** What the sender of the request, or the caller of the library, can do about it. */
  readonly remedy: string
  /** What the operator can do about it when a command ends with this error. */
  readonly commandRemedy: string
  /**
   * True if an error of this kind records its stack. Recording is most of the cost of an error. A refusal of content
   * has no stack: its position in the content says more, and a client can cause a hundred thousand of them a second.
   */
  readonly hasStack: boolean
}

/** The error codes of one folder. */
export type ErrorKinds = Readonly<Record<string, ErrorKind>>

/** Returns the kind of an error that the same request causes every time. `commandRemedy` defaults to `remedy`. */
export const rejected = (status: number, remedy: string, commandRemedy = remedy): ErrorKind => ({
  status,
  retryable: false,
  remedy,
  commandRemedy,
  hasStack: true,
})

/** Returns the kind of an error that an item, a line or a body causes. */
export const content = (status: number, remedy: string): ErrorKind => ({ ...rejected(status, remedy), hasStack: false })

/** Returns the kind of an error that may pass by itself. `commandRemedy` defaults to `remedy`. */
export const passing = (status: number, remedy: string, commandRemedy = remedy): ErrorKind => ({
  ...rejected(status, remedy, commandRemedy),
  retryable: true,
})
