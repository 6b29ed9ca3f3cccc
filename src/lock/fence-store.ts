/**
 * Where fences get what a lock service cannot give: memory that outlives it. Redis loses its newest writes in an
 * unplanned failover, and its counters with them; independent Redlock nodes have no common counter at all.
 *
 * A fence is one number below 2^63: the epoch in the 23 high bits, the counter of that epoch in the 40 low bits. A
 * later epoch therefore beats every counter of an earlier one, and stores compare nothing but one integer.
 */
import { Fault } from '../std/fault.ts'
import type { Key } from './lock.ts'

/**
 * Numbers from durable storage. Both methods reject with `FENCE_STORE_UNAVAILABLE` when the storage does not answer
 * in time, and with the signal's reason when that aborts.
 */
export interface FenceStore extends AsyncDisposable {
  /**
   * The epoch of a server identity (for Redis: run id and replication id). Always the same one for an identity seen
   * before; for a new identity one greater than every epoch that this store ever gave. Begins at 1.
   */
  epochOf(identity: string, signal: AbortSignal): Promise<bigint>
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
  if (epoch < 0n || epoch > MAX_EPOCH) throw new Fault('FENCE_EXHAUSTED', `epoch ${epoch} does not fit 23 bits`)
  if (counter < 0n || counter > MAX_COUNTER) {
    throw new Fault('FENCE_EXHAUSTED', `counter ${counter} does not fit 40 bits`)
  }
  return (epoch << COUNTER_BITS) | counter
}
