/**
 * Epochs for fences, so that they rise even when Redis forgets its counters.
 *
 * Why this is right. A fence is (epoch, counter). The counter rises within one reign: one process being master, without
 * interruption, with its data intact. acquire.lua grants only if the fence of the tag carries the replication id of
 * this very reign, compared inside the script that counts, so no grant can fall between the check and a failover. Redis
 * draws a new random id whenever a server starts, is promoted, or is demoted and promoted again; a copy of the data
 * carries the id of its writer, which is never that of its reader's reign.
 *
 * For a reign that is new to a tag, an epoch is fetched from the durable store. Asked with the replication id, the
 * store answers the same epoch to everybody, greater than that of every reign it has seen before. An old master that
 * was cut off keeps the epoch it had: it cannot overtake its successor, and its late grants lose to the guard. Where
 * the tag's data is gone altogether (FLUSHALL, a deleted key, a first use) the id alone proves nothing, since the reign
 * may have granted before; then the epoch is fetched for a claim, a name that is written to the server first and used
 * once, so the store answers one that is greater than all before, and adopt.lua takes it only while the claim stands.
 */

import type { RedisConnection } from '../../redis/connection.ts'
import { loadScript, scriptBody } from '../../redis/script.ts'
import { composeFence, type FenceStore } from '../fence-store.ts'

const ADOPT = loadScript('adopt', import.meta.url)
const REMEMBERED = 64

export interface Epochs {
  /**
   * Has the tag's fence carry an epoch of the reign that claims it. Rejects with a Fault, the store's or the
   * connection's. It may have been in vain when the reign ended meanwhile: attempt again and see.
   */
  adopt(fence: string, vacancy: Vacancy, signal: AbortSignal): Promise<void>
}

/** What acquire.lua says instead of granting. */
export interface Vacancy {
  /** `replication id:unique name`. */
  readonly claim: string
  /** -1 when the fence has none. */
  readonly storedEpoch: number
}

export function createEpochs(connection: RedisConnection, fences: FenceStore): Epochs {
  const ofReign = new Map<string, bigint>()
  const underWay = new Map<string, Promise<void>>()

  async function reignEpoch(replid: string, signal: AbortSignal): Promise<bigint> {
    const known = ofReign.get(replid)
    if (known !== undefined) return known
    const epoch = await fences.epochOf(replid, signal)
    if (ofReign.size >= REMEMBERED) ofReign.clear()
    ofReign.set(replid, epoch)
    return epoch
  }

  async function write(fence: string, args: readonly [string, string, bigint], signal: AbortSignal): Promise<boolean> {
    const [replid, claim, epoch] = args
    return connection.run({
      script: ADOPT,
      read: (reply) => reply === 1,
      ...scriptBody([fence], [replid, claim, String(epoch), String(composeFence(epoch, 0n))]),
      wanted: () => !signal.aborted,
    })
  }

  async function adopt(fence: string, { claim, storedEpoch }: Vacancy, signal: AbortSignal): Promise<void> {
    const replid = claim.slice(0, claim.indexOf(':'))
    if (storedEpoch >= 0) {
      const epoch = await reignEpoch(replid, signal)
      // a slot that came from another shard may carry a later epoch than this reign's
      if (epoch > BigInt(storedEpoch) && (await write(fence, [replid, '', epoch], signal))) return
    }
    await write(fence, [replid, claim, await fences.epochOf(claim, signal)], signal)
  }

  return {
    adopt(fence, vacancy, signal) {
      const name = `${fence} ${vacancy.claim}`
      const running = underWay.get(name) ?? adopt(fence, vacancy, signal).finally(() => underWay.delete(name))
      underWay.set(name, running)
      return running
    },
  }
}
