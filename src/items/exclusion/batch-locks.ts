/**
 * Locks in front of a store that would do without: with lock mode `always` the ids of a whole batch are claimed in one
 * exchange before it is put. The store stays the judge; what the locks add is that two replicas do not bring it the
 * same content at once. While the lock service is away, for whatever reason, batches are put without locks: slower where
 * they meet, never wrong.
 */
import { failpoint } from '#failpoint'
import { LockError, type LockFailure } from '../../lock/lock-error.ts'
import type { Locker } from '../../lock/locker.ts'
import { type ErrorCode, IngotError } from '../../std/error.ts'
import type { ItemStore, Unit } from '../store.ts'

export interface BatchLockOptions {
  /** How long a batch waits for others that have some of its content, milliseconds. */
  readonly waitMs: number
  /** Told of every batch that is put without its locks, and why. */
  readonly onUnlocked?: (reason: ErrorCode) => void
}

export function withBatchLocks(store: ItemStore, locker: Locker, options: BatchLockOptions): ItemStore {
  return {
    capabilities: store.capabilities,
    async put(units, nowMs) {
      const keys = units.flatMap(keysOf)
      if (keys.length === 0) return store.put(units, nowMs)
      await using claim = await acquire(locker, keys, options)
      if (claim?.isHeld() === false) options.onUnlocked?.('LOCK_LOST')
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
    version: (collection) => store.version(collection),
    beginEpoch: () => store.beginEpoch(),
    async [Symbol.asyncDispose]() {
      await locker[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

/** Why a batch is put without its locks: the lock service gave none, and the store refuses duplicates by itself. */
const UNLOCKED: ReadonlySet<LockFailure> = new Set(['unavailable', 'unanswered', 'lost'])

/** `undefined` when the store has to do without. */
async function acquire(locker: Locker, keys: readonly string[], { waitMs, onUnlocked }: BatchLockOptions) {
  try {
    return await locker.acquire(keys, { waitMs })
  } catch (thrown) {
    if (!(thrown instanceof LockError)) throw thrown
    if (thrown.reason === 'held') {
      throw new IngotError('IN_FLIGHT', `content of this batch was being saved elsewhere for ${waitMs} ms`, {
        cause: thrown,
      })
    }
    if (!UNLOCKED.has(thrown.reason)) throw thrown
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
