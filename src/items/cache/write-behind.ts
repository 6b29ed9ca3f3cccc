/**
 * Writes committed items to the cache in the background. It collects them for a moment, and then writes one call per
 * collection, after a lease that was requested after the commits has been recorded (the rules are in store-version.ts).
 * No request waits for it. It keeps at most MAX_WAITING entries and drops the others. It runs one write at a time.
 */
import type { Clock, Timer } from '../../std/clock.ts'
import type { PutStamp } from '../freshness/recent-ids.ts'
import type { VersionLease, VersionLeases } from '../freshness/version-lease.ts'
import type { ItemId } from '../item.ts'
import type { CacheKey, Fact } from './cache.ts'
import type { GuardedCache } from './guarded-cache.ts'
import type { CacheMeasures, DropReason } from './measure.ts'

/** How long commits are collected, in milliseconds. Each write requests the store's version once. */
const GATHER_MS = 100
/** Takes about 3 MB. */
const MAX_WAITING = 16_384
/** A larger script would block the cache for other clients. */
const MAX_WRITE = 512

export interface Committed {
  readonly id: ItemId
  readonly firstSeenMs: number
}

export interface CacheWrites extends Disposable {
  /** Call this after the commit of a put that began with `stamp`. */
  add(stamp: PutStamp, items: readonly Committed[]): void
  /** Writes items that a lease covers, at once. */
  write(stamp: PutStamp, items: readonly Committed[], lease: VersionLease): Promise<void>
}

export interface CacheWritesDeps {
  readonly cache: GuardedCache
  readonly leases: VersionLeases
  readonly clock: Clock
  readonly measures: CacheMeasures
}

interface Batch {
  readonly stamp: PutStamp
  readonly items: readonly Committed[]
}

export function createCacheWrites(deps: CacheWritesDeps): CacheWrites {
  return new WriteBehind(deps)
}

class WriteBehind implements CacheWrites {
  readonly #deps: CacheWritesDeps
  #gathered = new Map<string, Batch[]>()
  /** Number of entries that were collected or are being written. */
  #waiting = 0
  #timer: Timer | undefined
  #writing = false

  constructor(deps: CacheWritesDeps) {
    this.#deps = deps
  }

  add(stamp: PutStamp, items: readonly Committed[]): void {
    if (items.length === 0) return
    if (this.#waiting + items.length > MAX_WAITING) return this.#drop('overflow', items.length)
    this.#waiting += items.length
    const batches = this.#gathered.get(stamp.collection) ?? []
    this.#gathered.set(stamp.collection, batches)
    batches.push({ stamp, items })
    this.#plan()
  }

  async write(stamp: PutStamp, items: readonly Committed[], lease: VersionLease): Promise<void> {
    const { cache, measures } = this.#deps
    for (let from = 0; from < items.length; from += MAX_WRITE) {
      const part = items.slice(from, from + MAX_WRITE)
      const isWritten = await cache.write(part.map((item) => entryOf(stamp, item, lease)))
      if (isWritten) measures.wrote(part.length)
      else this.#drop('failed', part.length)
    }
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel()
    this.#gathered.clear()
  }

  #drop(reason: DropReason, entries: number): void {
    this.#deps.measures.dropped(reason, entries)
  }

  #plan(): void {
    if (this.#writing || this.#timer !== undefined || this.#gathered.size === 0) return
    this.#timer = this.#deps.clock.timer(GATHER_MS, () => {
      this.#timer = undefined
      // never rejects: leases and cache return failures as values
      void this.#writeAll()
    })
  }

  async #writeAll(): Promise<void> {
    this.#writing = true
    const gathered = this.#gathered
    this.#gathered = new Map()
    for (const [collection, batches] of gathered) {
      const count = batches.reduce((sum, { items }) => sum + items.length, 0)
      await this.#writeBatches(batches, await this.#deps.leases.renewed(collection))
      this.#waiting -= count
    }
    this.#writing = false
    this.#plan()
  }

  async #writeBatches(batches: readonly Batch[], lease: VersionLease | undefined): Promise<void> {
    for (const [stamp, items] of joined(batches)) {
      if (lease?.epoch === stamp.epoch && lease.deletes === stamp.deletes) await this.write(stamp, items, lease)
      else this.#drop('unconfirmed', items.length)
    }
  }
}

/** Joins batches with equal stamps. Most stamps are equal. */
function joined(batches: readonly Batch[]): readonly (readonly [PutStamp, readonly Committed[]])[] {
  const groups = Map.groupBy(batches, ({ stamp }) => `${stamp.deletes} ${stamp.epoch}`)
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    return first === undefined ? [] : [[first.stamp, group.flatMap(({ items }) => items)] as const]
  })
}

function entryOf(
  { collection, epoch, deletes }: PutStamp,
  item: Committed,
  { position }: VersionLease,
): CacheKey & Fact {
  return { collection, id: item.id, epoch, deletes, position, firstSeenMs: item.firstSeenMs }
}
