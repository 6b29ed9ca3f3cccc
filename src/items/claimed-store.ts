/**
 * Locks in front of a store that would do without: with lock mode `always` the ids of a whole batch are claimed in one
 * exchange before it is put. The store stays the judge; what the locks add is that two replicas do not bring it the
 * same content at once. While the lock service is away nothing is put: whoever wants that asks for mode `auto`.
 */
import { failpoint } from '#failpoint'
import type { Locker } from '../lock/locker.ts'
import { Fault } from '../std/fault.ts'
import type { ItemStore, Unit } from './store.ts'

export function withClaims(store: ItemStore, locker: Locker, waitMs: number): ItemStore {
  return {
    capabilities: store.capabilities,
    async put(units, nowMs) {
      const keys = units.flatMap(keysOf)
      if (keys.length === 0) return store.put(units, nowMs)
      await using claim = await acquire(locker, keys, waitMs)
      claim.assertHeld()
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

async function acquire(locker: Locker, keys: readonly string[], waitMs: number) {
  try {
    return await locker.acquire(keys, { waitMs })
  } catch (thrown) {
    if (!(thrown instanceof Fault) || thrown.code !== 'LOCK_TIMEOUT') throw thrown
    throw new Fault('IN_FLIGHT', `content of this batch was being saved elsewhere for ${waitMs} ms`, { cause: thrown })
  }
}

/** The same keys as those of locked-store.ts: one name for one content. */
export function itemLockKey(collection: string, id: string): string {
  return `item/${collection}/${id}`
}

function keysOf(unit: Unit): readonly string[] {
  return unit.items.map((item) => itemLockKey(unit.collection.name, item.id))
}
