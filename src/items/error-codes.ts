/** Errors of collections, items and their stores. */
import { type ErrorKinds, passing, rejected } from '../std/error-kind.ts'

export const ITEM_ERRORS = {
  ITEM_NOT_FOUND: rejected(404, 'check the collection and the id'),
  DELETION_NOT_FOUND: rejected(404, 'check the collection and the id; the oldest deletions are forgotten'),
  POLICY_IMMUTABLE: rejected(409, 'use a new collection: a collection that holds items keeps its identity policy'),
  COLLECTION_NAME_INVALID: rejected(422, 'use 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit'),
  IDEMPOTENCY_KEY_REUSED: rejected(422, 'use a new Idempotency-Key for a new request'),
  OVERLOADED: passing(429, 'send again after Retry-After'),
  IN_FLIGHT: passing(409, 'another request is saving the same content: send again after Retry-After'),
  UNSUPPORTED: rejected(501, 'use a store that supports this operation'),
  SHUTTING_DOWN: passing(503, 'send again: another replica accepts it, or this one after its restart'),
  STORE_UNAVAILABLE: passing(
    503,
    'send again after Retry-After; see the log for the cause',
    'check the address of the store (INGOT_STORE_URL), and that the store runs',
  ),
  STORE_LOCKED: rejected(503, 'stop the other process that uses this data folder'),
  STORE_SHAPE_UNKNOWN: rejected(503, 'start the version of ingot that made this schema, or a newer one'),
  STORE_UNSUITABLE: rejected(503, 'change the server setting that the message names'),
  STORE_CORRUPT: rejected(
    500,
    'run ingot verify, then delete the damaged items and send them again, or restore a backup',
  ),
} as const satisfies ErrorKinds
