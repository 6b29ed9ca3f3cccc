/** Errors of Redis: its network, its access rules and its settings. */
import { type ErrorKinds, passing, rejected } from '../std/error-kind.ts'

export const REDIS_ERRORS = {
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
} as const satisfies ErrorKinds
