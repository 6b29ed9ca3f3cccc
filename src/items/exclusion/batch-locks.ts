/**
 * Locks in front of a store that enforces uniqueness. With lock mode `always`, the ids of a batch are locked in one
 * exchange before the batch is put. The store still decides about duplicates. The locks only keep two replicas from
 * sending it the same content at the same time. During an outage of the lock service, batches are put without locks.
 * This is slower if they overlap, but never wrong.
 */
import { failpoint } from '#failpoint'
import { type ErrorCode, IngotError } from '../../errors/error.ts'
import { LockError, type LockFailure } from '../../lock/lock-error.ts'
import type { Locker } from '../../lock/locker.ts'
import { withSpan } from '../../telemetry/spans.ts'
import type { ItemStore, Unit } from '../store.ts'

export interface BatchLockOptions {
  /** Maximum wait for other batches with some of the same content, in milliseconds. */
  readonly waitMs: number
  /** Called with the reason for every batch that is put without its locks. */
  readonly onUnlocked?: (reason: ErrorCode) => void
}

export function withBatchLocks(store: ItemStore, locker: Locker, options: BatchLockOptions): ItemStore {
  return {
    capabilities: store.capabilities,
    async put(units, nowMs) {
      const keys = units.flatMap(keysOf)
      if (keys.length === 0) return store.put(units, nowMs)
      await using lock = await acquire(locker, keys, options)
      if (lock?.isHeld() === false) options.onUnlocked?.('LOCK_LOST')
      const outcomes = await store.put(units, nowMs)
      failpoint('before-release')
      return outcomes
    },
    collection: (name) => store.collection(name),
    collections: (page) => store.collections(page),
    define: (name, policy) => store.define(name, policy),
    get: (collection, id) => store.get(collection, id),
    list: (collection, page) => store.list(collection, page),
    delete: (collection, id) => store.delete(collection, id),
    deleteCollection: (collection, nowMs) => store.deleteCollection(collection, nowMs),
    deletion: (collection, id) => store.deletion(collection, id),
    purge: (nowMs, after) => store.purge(nowMs, after),
    check: () => store.check(),
    version: (collection) => store.version(collection),
    beginEpoch: () => store.beginEpoch(),
    async [Symbol.asyncDispose]() {
      await locker[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

/** Failures after which a batch is put without locks. The store refuses duplicates by itself. */
const UNLOCKED: ReadonlySet<LockFailure> = new Set(['unavailable', 'unanswered', 'lost'])

/** Resolves to `undefined` if the batch is to be put without locks. */
async function acquire(locker: Locker, keys: readonly string[], { waitMs, onUnlocked }: BatchLockOptions) {
  try {
    return await withSpan('ingot.lock', { 'ingot.lock.keys': keys.length }, () => locker.acquire(keys, { waitMs }))
  } catch (thrown) {
    if (!(thrown instanceof LockError)) throw thrown
    if (thrown.reason === 'held') {
      throw new IngotError('IN_FLIGHT', `another client was saving content of this batch for ${waitMs} ms`, {
        cause: thrown,
      })
    }
    if (!UNLOCKED.has(thrown.reason)) throw thrown
    onUnlocked?.(thrown.code)
    return undefined
  }
}

/** Returns the lock key of an item. locked-store.ts uses the same keys. */
export function itemLockKey(collection: string, id: string): string {
  return `item/${collection}/${id}`
}

function keysOf(unit: Unit): readonly string[] {
  return unit.items.map((item) => itemLockKey(unit.collection.name, item.id))
}
