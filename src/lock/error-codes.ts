/** Errors of locks and of their fences. */
import { type ErrorKinds, passing, rejected } from '../std/error-kind.ts'

export const LOCK_ERRORS = {
  LOCK_TIMEOUT: passing(503, 'wait longer, hold locks for a shorter time, or use more keys that each protect less'),
  LOCK_LOST: passing(
    503,
    'the lease ended before the work did: use a longer time to live, or do less work under the lock',
  ),
  LOCK_BACKEND_UNAVAILABLE: passing(
    503,
    'see the log for the cause; check the lock service',
    'check the address of the lock service (INGOT_LOCK_URL), and that it runs',
  ),
  LOCK_ACCESS_REFUSED: rejected(
    503,
    'correct user and password of the lock service, or the rights that the message names',
  ),
  LOCK_TLS_FAILED: rejected(
    503,
    'check the certificates of the lock service and of this client, and the names in them',
  ),
  LOCK_UNSUITABLE: rejected(503, 'change the setting of the lock service that the message names'),
  LOCK_BREAKER_OPEN: passing(503, 'the lock service failed repeatedly; it is tried again automatically'),
  LOCK_KEY_INVALID: rejected(400, 'use a key of 1 to 512 bytes'),
  LOCK_OPTION_INVALID: rejected(500, 'use finite times in milliseconds, greater than zero'),
  FENCE_STORE_UNAVAILABLE: passing(
    503,
    'see the log for the cause; check the store that keeps the fences',
    'check the address of the fence store (INGOT_LOCK_FENCES), and that this store runs',
  ),
  FENCE_EXHAUSTED: rejected(500, 'start a new epoch: the counter or the epochs no longer fit their bits'),
  FENCE_STALE: rejected(409, 'a later holder has written: acquire again and read before writing'),
} as const satisfies ErrorKinds
