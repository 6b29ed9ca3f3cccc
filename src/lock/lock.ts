/**
 * The words of the lock library. A lock here is a lease: it ends by itself, so whoever holds it may have lost it
 * without noticing. What makes that safe is the fence, a number that grows with each grant of a key and that the
 * protected store compares; a lock without a fence only saves work.
 */
import type { IngotError } from '../std/error.ts'

/** What is locked. 1 to 512 bytes of UTF-8. */
export type Key = string

/** Names one acquisition, so that only its owner can extend or release. 22 characters of base64url, 128 random bits. */
export type Token = string

/**
 * How far a backend's fences rise.
 * `always`: also after its server lost data; the number comes from, or is led by, durable storage.
 * `within-epoch`: as long as the server keeps its data; a failover that loses writes may repeat numbers.
 * `none`: there are no fences.
 */
export type Fencing = 'always' | 'within-epoch' | 'none'

/** A fence fits a signed 64-bit integer, so that any store can keep and compare it. Absent exactly when fencing is `none`. */
export type FenceOf<F extends Fencing> = F extends 'none' ? undefined : bigint

/** Handed out with a refusal by a backend that can wake its waiters; only meaningful to that backend. */
export type Ticket = string

/** A backend did not answer, or answered that it cannot serve. The command may still have taken effect. */
export interface Unavailable {
  readonly kind: 'unavailable'
  readonly error: IngotError
  /**
   * `key`: the service works and only this key cannot be served, for a reason that asking again does not change; the
   * command took no effect. Absent: the service as a whole did not serve.
   */
  readonly scope?: 'key'
}

/**
 * Contention is a value. `ttlMs` counts from the moment the request was sent: the lease runs at least so long, and the
 * caller subtracts what the answer took. A repeated token may thus be granted less than it asked for.
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
