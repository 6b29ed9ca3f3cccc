/**
 * The one error class, and the one table of what can go wrong. A code is stable: clients, alerts and runbooks may
 * match on it. Adding a line here is all that a new fault needs; its HTTP status and remedy stand beside it.
 */

interface ErrorKind {
  /** HTTP status when the fault ends a request. */
  readonly status: number
  /** Whether the same request may succeed later without a change. */
  readonly retryable: boolean
  /** What the reader can do about it: who sent the request, or called the library. */
  readonly remedy: string
  /** What whoever started the command that ends with it can do. */
  readonly commandRemedy: string
  /**
   * Whether a fault of this kind records its stack, which takes most of the time that making it does. A refusal of
   * content has none: its place is in the content, and a client can cause a hundred thousand of them a second.
   */
  readonly hasStack: boolean
}

const rejected = (status: number, remedy: string, commandRemedy = remedy): ErrorKind => ({
  status,
  retryable: false,
  remedy,
  commandRemedy,
  hasStack: true,
})
/** Of an item, a line or a body. */
const content = (status: number, remedy: string): ErrorKind => ({ ...rejected(status, remedy), hasStack: false })
const passing = (status: number, remedy: string, commandRemedy = remedy): ErrorKind => ({
  ...rejected(status, remedy, commandRemedy),
  retryable: true,
})

export const ERRORS = {
  // what was sent
  JSON_INVALID: content(400, 'send well-formed JSON (RFC 8259) in UTF-8'),
  JSON_DUPLICATE_MEMBER: content(400, 'name each member of an object once'),
  JSON_LONE_SURROGATE: content(400, 'send surrogates in pairs, or the character itself'),
  JSON_TOO_DEEP: content(400, 'nest arrays and objects less deeply'),
  NUMBER_PRECISION: content(
    400,
    'send the number as a string, or with the shortest decimal value that denotes its double: 0.1, 1.00 and 1e2 have it, 9007199254740993 and 1152921504606846976 do not',
  ),
  FIELDS_MISSING: content(400, "send an object that has at least one of the collection's identity fields"),
  REQUEST_INVALID: rejected(400, 'correct the request as the detail says'),
  IDEMPOTENCY_KEY_INVALID: rejected(400, 'send 1 to 255 visible ASCII characters, and none with NDJSON'),
  TOKEN_MISSING: rejected(401, 'send Authorization: Bearer with a token from the tokens file'),
  TOKEN_REFUSED: rejected(403, 'use a token that has this right on this collection'),
  NOT_FOUND: rejected(404, 'check the path'),
  ITEM_NOT_FOUND: rejected(404, 'check the collection and the id'),
  METHOD_NOT_ALLOWED: rejected(405, 'use a method that the Allow header names'),
  POLICY_IMMUTABLE: rejected(409, 'use a new collection: one that holds items keeps its identity policy'),
  CONTENT_TOO_LARGE: content(413, 'send less at once, or raise the limit that the detail names'),
  MEDIA_TYPE_UNSUPPORTED: rejected(415, 'send application/json, application/x-ndjson or application/octet-stream'),
  COLLECTION_NAME_INVALID: rejected(422, 'use 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit'),
  POLICY_INVALID: rejected(422, 'use a policy from the table in the OpenAPI document'),
  HEADERS_TOO_LARGE: rejected(431, 'send fewer or shorter header fields, and a shorter URL'),
  IDEMPOTENCY_KEY_REUSED: rejected(422, 'use a new Idempotency-Key for a new request'),
  // what happened to us
  OVERLOADED: passing(429, 'send again after Retry-After'),
  READ_STALLED: passing(408, 'read the answer while sending, or ask with Prefer: return=minimal'),
  BODY_STALLED: passing(408, 'keep sending, or send again'),
  // only logged and counted: nobody is left to read the status, which nginx introduced
  CLIENT_GONE: passing(499, 'keep the connection open until the whole answer has come'),
  IN_FLIGHT: passing(409, 'the same content is being saved by somebody else: send again after Retry-After'),
  UNSUPPORTED: rejected(501, 'use another store, or do without'),
  SHUTTING_DOWN: passing(503, 'send again: another replica, or this one after its restart'),
  STORE_UNAVAILABLE: passing(
    503,
    'send again after Retry-After; see the log for the cause',
    'check the address of the store (INGOT_STORE_URL), and that the store runs',
  ),
  STORE_LOCKED: rejected(503, 'stop the other process that uses this data folder'),
  STORE_SHAPE_UNKNOWN: rejected(503, 'start the version of ingot that made this shape, or a newer one'),
  STORE_UNSUITABLE: rejected(503, 'change the server setting that the message names'),
  STORE_CORRUPT: rejected(500, 'run ingot verify, then delete what is damaged and send it again, or restore a backup'),
  INTERNAL: rejected(500, 'report it with the trace id', 'report it, with what INGOT_LOG_LEVEL=debug adds'),
  // locks
  LOCK_TIMEOUT: passing(503, 'wait longer, hold shorter, or lock something finer'),
  LOCK_LOST: passing(503, 'the lease ended before the work did: use a longer time to live, or do less under the lock'),
  LOCK_BACKEND_UNAVAILABLE: passing(
    503,
    'see the log for the cause; check the lock service',
    'check the address of the lock service (INGOT_LOCK_URL), and that it runs',
  ),
  LOCK_BREAKER_OPEN: passing(503, 'the lock service failed repeatedly; it is tried again by itself'),
  LOCK_KEY_INVALID: rejected(400, 'use a key of 1 to 512 bytes'),
  LOCK_OPTION_INVALID: rejected(500, 'use finite times in milliseconds, greater than zero'),
  FENCE_STORE_UNAVAILABLE: passing(
    503,
    'see the log for the cause; check the store that keeps the fences',
    'check where fences are kept (INGOT_LOCK_FENCES), and that this store runs',
  ),
  FENCE_EXHAUSTED: rejected(500, 'start a new epoch: the counter or the epochs no longer fit their bits'),
  FENCE_STALE: rejected(409, 'a later holder has written: acquire again and read before writing'),
  // Redis
  REDIS_UNREACHABLE: passing(503, 'check the address, the network and that the server runs'),
  REDIS_ACCESS_REFUSED: rejected(503, "correct user and password, or the user's rights (ACL)"),
  REDIS_TLS_FAILED: rejected(503, 'check the certificates on both sides, and the names in them'),
  REDIS_OUT_OF_MEMORY: passing(
    503,
    'raise maxmemory on the Redis that the message names, or move other data off it: with noeviction it takes nothing new',
  ),
  REDIS_KEY_FOREIGN: rejected(
    503,
    'delete the key that the message names, or give each program a Redis or a namespace of its own',
  ),
  REDIS_UNSUITABLE: rejected(503, 'change the server setting that the message names'),
  // how we were started
  CONFIG_INVALID: rejected(500, 'correct the settings named, then start again'),
  // what the command line met
  USAGE_INVALID: rejected(500, 'see ingot --help, or ingot COMMAND --help'),
  INPUT_UNREADABLE: rejected(500, 'check the file: its name, who may read it, whether it is whole'),
  OUTPUT_UNWRITABLE: rejected(500, 'check the folder: its name, who may write in it, the room on its disk'),
  REMOTE_REFUSED: rejected(502, 'do as the answer says; sending the same again will not help'),
  REMOTE_UNREACHABLE: passing(502, 'check the address and that the service runs'),
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERRORS

export interface FaultOptions {
  readonly cause?: unknown
  /** Machine-readable facts for the problem body: a position, a limit, a line. Never a secret, never content. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>
}

/** Everything that ingot throws. The message says what failed, on what; the code says what to do. */
export class IngotError extends Error {
  readonly code: ErrorCode
  readonly facts: Readonly<Record<string, string | number | boolean>>

  constructor(code: ErrorCode, message: string, options: FaultOptions = {}) {
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

/** Any thrown value as a IngotError: itself, or INTERNAL with it as the cause. */
export function toFault(thrown: unknown): IngotError {
  if (thrown instanceof IngotError) return thrown
  return new IngotError('INTERNAL', reasonOf(thrown), { cause: thrown })
}

/**
 * Why something failed, to stand in a message. Never empty: a host of several addresses that all refuse is an
 * AggregateError without words of its own.
 */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  if (thrown.message !== '') return thrown.message
  return thrown instanceof AggregateError ? thrown.errors.map(reasonOf).join(', ') : thrown.name
}
