/**
 * The port of fence stores. They give fences what a lock service lacks: storage that outlives it. Redis loses its
 * newest writes in an unplanned failover, including its counters. Independent Redlock nodes have no common counter.
 *
 * A fence is one number below 2^63: the epoch in the 23 high bits, the counter of that epoch in the 40 low bits. A
 * fence of a later epoch is therefore greater than all fences of earlier epochs, and stores compare only one integer.
 */
import { IngotError } from '../../errors/error.ts'
import type { Key } from '../lock.ts'

/**
 * A set of counters of a lock service, as a text of digits, one per counter: 1 for members, 0 for others. All sets of
 * one line have the same length, at most 1,024.
 */
export type Members = string

/** Some counters of a line. A line is the name of counters that were copied from each other, and from nothing else. */
export interface Part {
  readonly line: string
  readonly members: Members
}

/** The last server that took an epoch for some counters of a line, and that epoch. */
export interface PrimaryTerm extends Part {
  readonly epoch: bigint
  /** Identity of the server. For Redis, the replication id of a primary. */
  readonly owner: string
}

/** A server's request for an epoch. */
export interface TermRequest {
  readonly owner: string
  readonly parts: readonly Part[]
  /** The epoch must be greater than this one. */
  readonly above: bigint
  /**
   * For counters whose data is gone: a unique name that was written to the server before this call. The epoch is then
   * greater than every earlier epoch. A name that was used before gets the same epoch again.
   */
  readonly mark?: string
}

/**
 * Issues numbers from durable storage. All methods reject with `FENCE_STORE_UNAVAILABLE` if the storage does not
 * respond in time, and with the signal's reason when that aborts.
 */
export interface FenceStore extends AsyncDisposable {
  /**
   * Returns the epoch of an identity that is used once, such as a process. A known identity gets the same epoch again.
   * A new identity gets an epoch above every epoch that this store has issued. The first one is 1.
   */
  epochOf(identity: string, signal: AbortSignal): Promise<bigint>
  /** Returns the newest term of every counter of these lines. Members of one line never overlap. */
  termsOf(lines: readonly string[], signal: AbortSignal): Promise<readonly PrimaryTerm[]>
  /**
   * Makes `owner` the owner of the parts and returns its epoch. The epoch is greater than `above`, and greater than
   * every epoch that another server took for one of these counters. If the owner already has such an epoch, it is
   * returned. Otherwise the epoch is new, and greater than all earlier ones. Atomic: concurrent callers with the same
   * term get the same epoch.
   */
  takeTerm(term: TermRequest, signal: AbortSignal): Promise<bigint>
  /** Returns a number greater than every earlier one of this key, in all processes. */
  nextFence(key: Key, signal: AbortSignal): Promise<bigint>
}

const COUNTER_BITS = 40n
const MAX_COUNTER = (1n << COUNTER_BITS) - 1n
const MAX_EPOCH = (1n << (63n - COUNTER_BITS)) - 1n

/**
 * Returns the fence of an epoch (0 to 2^23 - 1) and a counter (0 to 2^40 - 1). Epoch 0 is for servers without a fence
 * store. Throws `FENCE_EXHAUSTED` if either does not fit, because a wrapped number would let stale writes pass.
 */
export function composeFence(epoch: bigint, counter: bigint): bigint {
  if (epoch < 0n || epoch > MAX_EPOCH) throw new IngotError('FENCE_EXHAUSTED', `epoch ${epoch} does not fit 23 bits`)
  if (counter < 0n || counter > MAX_COUNTER) {
    throw new IngotError('FENCE_EXHAUSTED', `counter ${counter} does not fit 40 bits`)
  }
  return (epoch << COUNTER_BITS) | counter
}

/** Returns the epoch of a fence. */
export function epochOfFence(fence: bigint): bigint {
  return fence >> COUNTER_BITS
}
