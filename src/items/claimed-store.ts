/**
 * Locks in front of a store that would do without: with lock mode `always` the ids of a whole batch are claimed in one
 * exchange before it is put. The store stays the judge; what the locks add is that two replicas do not bring it the
 * same content at once. While the lock service is away batches are put without locks: slower
 * where they meet, never wrong.
 */
import { failpoint } from '#failpoint'
import type { Locker } from '../lock/locker.ts'
import { Fault, type FaultCode } from '../std/fault.ts'
import type { ItemStore, Unit } from './store.ts'

export interface ClaimOptions {
  /** How long a batch waits for others that have some of its content, milliseconds. */
  readonly waitMs: number
  /** Told of every batch that is put without its locks, and why. */
  readonly onUnlocked?: (reason: FaultCode) => void
}

export function withClaims(store: ItemStore, locker: Locker, options: ClaimOptions): ItemStore {
  return {
    capabilities: store.capabilities,
    async put(units, nowMs) {
      const keys = units.flatMap(keysOf)
      if (keys.length === 0) return store.put(units, nowMs)
      await using claim = await acquire(locker, keys, options)
      claim?.assertHeld()
      const outcomes = await store.put(units, nowMs)
      failpoint('before-release')
      return outcomes
    },
    collection: (name) => store.collection(name),
    define: (name, policy) => store.define(name, policy),
    get: (collection, id) => store.get(collection, id),
    list: (collection, page) => store.list(collection, page),
    delete: (collection, id) => store.delete(collection, id),
    check: () => store.check(),
    past: (collection) => store.past(collection),
    startEpoch: () => store.startEpoch(),
    async [Symbol.asyncDispose]() {
      await locker[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

/** What says that the lock service does not serve; that others hold the keys is no such thing. */
const OUTAGES: ReadonlySet<FaultCode> = new Set([
  'LOCK_BACKEND_UNAVAILABLE',
  'LOCK_BREAKER_OPEN',
  'FENCE_STORE_UNAVAILABLE',
])

/** `undefined` during an outage. */
async function acquire(locker: Locker, keys: readonly string[], { waitMs, onUnlocked }: ClaimOptions) {
  try {
    return await locker.acquire(keys, { waitMs })
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown
    if (thrown.code === 'LOCK_TIMEOUT') {
      throw new Fault('IN_FLIGHT', `content of this batch was being saved elsewhere for ${waitMs} ms`, {
        cause: thrown,
      })
    }
    if (!OUTAGES.has(thrown.code)) throw thrown
    onUnlocked?.(thrown.code)
    return undefined
  }
}

/** The same keys as those of locked-store.ts: one name for one content. */
export function itemLockKey(collection: string, id: string): string {
  return `item/${collection}/${id}`
}

function keysOf(unit: Unit): readonly string[] {
  return unit.items.map((item) => itemLockKey(unit.collection.name, item.id))
}
