/**
 * The types of the lock library. A lock is a lease: it expires by itself, so its holder may lose it without noticing.
 * The fence makes this safe. It is a number that grows with each grant of a key, and the protected store compares it. A
 * lock without a fence only saves work.
 */
import type { IngotError } from '../errors/error.ts'

/** What is locked. 1 to 512 bytes of UTF-8. */
export type Key = string

/** Names one acquisition, so that only its owner can extend or release. 22 characters of base64url, 128 random bits. */
export type Token = string

/**
 * When a backend's fences rise.
 * `always`: also after its server lost data, because the number is based on durable storage.
 * `within-epoch`: as long as the server keeps its data; a failover that loses writes may repeat numbers.
 * `none`: there are no fences.
 */
export type Fencing = 'always' | 'within-epoch' | 'none'

/** A fence fits a signed 64-bit integer, so that any store can keep and compare it. Absent exactly when fencing is `none`. */
export type FenceOf<F extends Fencing> = F extends 'none' ? undefined : bigint

/** Identifies a waiter to a backend that can wake its waiters. Only that backend can interpret it. */
export type Ticket = string

/** The backend did not respond, or reported that it cannot serve. The command may still have taken effect. */
export interface Unavailable {
  readonly kind: 'unavailable'
  readonly error: IngotError
  /**
   * `key`: the service works, but this key cannot be served, and a retry does not help. The command took no effect.
   * Absent: the whole service is unavailable.
   */
  readonly scope?: 'key'
}

/**
 * The outcome of one attempt. `ttlMs` counts from the moment the request was sent: the lease runs at least this long. A
 * repeated token may be granted less than it asked for.
 */
export type Attempt<F extends Fencing> =
  | { readonly kind: 'granted'; readonly fence: FenceOf<F>; readonly ttlMs: number }
  | { readonly kind: 'held'; readonly remainingMs: number | undefined; readonly ticket?: Ticket }
  | Unavailable

/** `ttlMs` counts from the moment the request was sent. */
export type Extension = { readonly kind: 'extended'; readonly ttlMs: number } | { readonly kind: 'lost' } | Unavailable

/** `lost`: when release came, the lease had ended, or another token held the key, or the token never held it. */
export type Release = { readonly kind: 'released' } | { readonly kind: 'lost' } | Unavailable

export type Inspection =
  | { readonly kind: 'free' }
  | { readonly kind: 'held'; readonly remainingMs: number | undefined; readonly fence: bigint | undefined }
  | Unavailable
