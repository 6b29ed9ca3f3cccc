/**
 * Where fences get what a lock service cannot give: memory that outlives it. Redis loses its newest writes in an
 * unplanned failover, and its counters with them; independent Redlock nodes have no common counter at all.
 *
 * A fence is one number below 2^63: the epoch in the 23 high bits, the counter of that epoch in the 40 low bits. A
 * later epoch therefore beats every counter of an earlier one, and stores compare nothing but one integer.
 */
import { IngotError } from '../../errors/error.ts'
import type { Key } from '../lock.ts'

/**
 * Counters of a lock service, as text of the digits 0 and 1, one per counter: 1 for those that are meant. All texts
 * that are used with one line have the same length, at most 1,024.
 */
export type Members = string

/** Some counters of a line. A line is a name for counters that were copied from each other and from nothing else. */
export interface Part {
  readonly line: string
  readonly members: Members
}

/** Which server was the last to take an epoch for some counters of a line, and which epoch that was. */
export interface PrimaryTerm extends Part {
  readonly epoch: bigint
  /** The server: for Redis the replication id of a primary. */
  readonly owner: string
}

/** What a server needs an epoch for. */
export interface TermRequest {
  readonly owner: string
  readonly parts: readonly Part[]
  /** The epoch must be greater than this one. */
  readonly above: bigint
  /**
   * A name that was written to the server before this call, for counters whose data is gone: their epoch must be
   * greater than every epoch that was given before. A name that was seen before gets the epoch that it got then.
   */
  readonly mark?: string
}

/**
 * Numbers from durable storage. All methods reject with `FENCE_STORE_UNAVAILABLE` when the storage does not answer
 * in time, and with the signal's reason when that aborts.
 */
export interface FenceStore extends AsyncDisposable {
  /**
   * The epoch of an identity that is used once, such as a process. Always the same one for an identity seen before; for
   * a new identity one greater than every epoch that this store ever gave. Begins at 1.
   */
  epochOf(identity: string, signal: AbortSignal): Promise<bigint>
  /** Returns the newest term of every counter of these lines. Members of one line never overlap. */
  termsOf(lines: readonly string[], signal: AbortSignal): Promise<readonly PrimaryTerm[]>
  /**
   * Makes `owner` the owner of the parts and returns its epoch: greater than `above`, and greater than every epoch that
   * another server took for one of these counters. It is a new epoch, greater than every one given before, unless the
   * owner has one already that is great enough. Atomic: of several callers with the same term all get the same epoch.
   */
  takeTerm(term: TermRequest, signal: AbortSignal): Promise<bigint>
  /** A number greater than every one given before for this key, by whatever process. */
  nextFence(key: Key, signal: AbortSignal): Promise<bigint>
}

const COUNTER_BITS = 40n
const MAX_COUNTER = (1n << COUNTER_BITS) - 1n
const MAX_EPOCH = (1n << (63n - COUNTER_BITS)) - 1n

/**
 * One fence of an epoch (0 to 2^23 - 1) and a counter (0 to 2^40 - 1). Epoch 0 is for servers without a fence store.
 * Throws `FENCE_EXHAUSTED` when either no longer fits: a wrapped number would let stale writes pass.
 */
export function composeFence(epoch: bigint, counter: bigint): bigint {
  if (epoch < 0n || epoch > MAX_EPOCH) throw new IngotError('FENCE_EXHAUSTED', `epoch ${epoch} does not fit 23 bits`)
  if (counter < 0n || counter > MAX_COUNTER) {
    throw new IngotError('FENCE_EXHAUSTED', `counter ${counter} does not fit 40 bits`)
  }
  return (epoch << COUNTER_BITS) | counter
}

/** The epoch of a fence. */
export function epochOfFence(fence: bigint): bigint {
  return fence >> COUNTER_BITS
}
