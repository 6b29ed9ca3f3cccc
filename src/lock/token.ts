/** Creates tokens and checks keys. */
import { randomBytes } from 'node:crypto'
import { IngotError } from '../errors/error.ts'
import type { Key, Token } from './lock.ts'

const MAX_KEY_BYTES = 512
/** Maximum bytes of UTF-8 for one UTF-16 unit. */
const MAX_UNIT_BYTES = 3
const TOKEN_BYTES = 16
const POOL_TOKENS = 256

/** Returns a token of 128 random bits, which no other acquisition has. */
export function newToken(): Token {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

/** Returns a function like `newToken` that costs a twentieth, because random bytes are cheap only in bulk. */
export function createTokenSource(): () => Token {
  let pool = Buffer.alloc(0)
  let used = 0
  return () => {
    if (used === pool.length) {
      pool = randomBytes(TOKEN_BYTES * POOL_TOKENS)
      used = 0
    }
    used += TOKEN_BYTES
    return pool.toString('base64url', used - TOKEN_BYTES, used)
  }
}

/** Throws `LOCK_KEY_INVALID` unless the key has 1 to 512 bytes of UTF-8 and no unpaired surrogate. */
export function checkKey(key: Key): Key {
  const bytes = key.length * MAX_UNIT_BYTES <= MAX_KEY_BYTES ? key.length : Buffer.byteLength(key)
  if (bytes < 1 || bytes > MAX_KEY_BYTES) {
    throw new IngotError('LOCK_KEY_INVALID', `a lock key has 1 to ${MAX_KEY_BYTES} bytes, this one has ${bytes}`)
  }
  if (!key.isWellFormed()) throw new IngotError('LOCK_KEY_INVALID', 'the lock key has an unpaired surrogate')
  return key
}
