/**
 * Fences from the numbers of transactions. Without a fence store, the number is the fence. With one, each leader of the
 * ensemble gets an epoch from the store, because the upper half of a number counts the leaders.
 *
 * An epoch counts only for nodes that were created after it was known. So an epoch that is asked for later belongs to a
 * later leader, however long the store takes to respond.
 */

import { IngotError } from '../../../errors/error.ts'
import type { Clock } from '../../../std/clock.ts'
import { createDeadline } from '../../../std/deadline.ts'
import { composeFence, type FenceStore } from '../../fencing/fence-store.ts'

/** Returns the fence of a node, or `undefined` if the epoch was not known yet. */
export type FenceOfNode = (czxid: bigint) => bigint | undefined

const COUNTER_BITS = 32n
const ASK_MS = 2_000

const leaderOf = (zxid: bigint): bigint => zxid >> COUNTER_BITS

export class NodeFences {
  readonly #clock: Clock
  readonly #store: FenceStore | undefined
  /** Names the ensemble. */
  #identity = ''
  #epochs: ReadonlyMap<bigint, bigint> = new Map()

  constructor(clock: Clock, store: FenceStore | undefined) {
    this.#clock = clock
    this.#store = store
  }

  name(identity: string): void {
    this.#identity = identity
  }

  /** Returns the fences of nodes that are created after this call. */
  now(): FenceOfNode {
    if (this.#store === undefined) return (czxid) => czxid
    const epochs = this.#epochs
    return (czxid) => {
      const epoch = epochs.get(leaderOf(czxid))
      return epoch === undefined ? undefined : composeFence(epoch, BigInt.asUintN(Number(COUNTER_BITS), czxid))
    }
  }

  /** Asks the store for the epoch of the leader that made this transaction. Rejects with `FENCE_STORE_UNAVAILABLE`. */
  async learn(zxid: bigint, parent?: AbortSignal): Promise<void> {
    const leader = leaderOf(zxid)
    if (this.#store === undefined || this.#epochs.has(leader)) return
    const timeoutError = (): Error => new IngotError('FENCE_STORE_UNAVAILABLE', `no response within ${ASK_MS} ms`)
    using deadline = createDeadline({ clock: this.#clock, ms: ASK_MS, timeoutError, parent, keepsAlive: true })
    const epoch = await this.#store.epochOf(`${this.#identity}:${leader}`, deadline.signal)
    this.#epochs = new Map([...this.#epochs, [leader, epoch]])
  }
}
