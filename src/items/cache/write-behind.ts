/**
 * What was committed, on its way into the cache: gathered for a moment, then written in one call a collection, once a
 * lease that was asked for after the commits has been noted (the rules of store-version.ts). Nobody waits for it, and what would
 * make it wait is dropped: at most MAX_WAITING entries are kept, and one write is under way at a time.
 */
import type { Clock, Timer } from '../../std/clock.ts'
import type { Mark } from '../freshness/recent-ids.ts'
import type { VersionLease, VersionLeases } from '../freshness/version-lease.ts'
import type { ItemId } from '../item.ts'
import type { CacheKey, Fact } from './cache.ts'
import type { GuardedCache } from './guarded-cache.ts'
import type { CacheMeasures, DropReason } from './measure.ts'

/** How long commits are gathered: each writing asks the store for its past once. */
const GATHER_MS = 100
/** About 3 MB. */
const MAX_WAITING = 16_384
/** A larger script would keep the cache from everybody else. */
const MAX_WRITE = 512

export interface Committed {
  readonly id: ItemId
  readonly firstSeenMs: number
}

export interface CacheWrites extends Disposable {
  /** After the commit of a put that began with `mark`. */
  add(mark: Mark, items: readonly Committed[]): void
  /** Writes what a lease covers, at once. */
  write(mark: Mark, items: readonly Committed[], lease: VersionLease): Promise<void>
}

export interface CacheWritesDeps {
  readonly cache: GuardedCache
  readonly leases: VersionLeases
  readonly clock: Clock
  readonly measures: CacheMeasures
}

interface Batch {
  readonly mark: Mark
  readonly items: readonly Committed[]
}

export function createCacheWrites(deps: CacheWritesDeps): CacheWrites {
  return new WriteBehind(deps)
}

class WriteBehind implements CacheWrites {
  readonly #deps: CacheWritesDeps
  #gathered = new Map<string, Batch[]>()
  /** Entries gathered or being written. */
  #waiting = 0
  #timer: Timer | undefined
  #writing = false

  constructor(deps: CacheWritesDeps) {
    this.#deps = deps
  }

  add(mark: Mark, items: readonly Committed[]): void {
    if (items.length === 0) return
    if (this.#waiting + items.length > MAX_WAITING) return this.#drop('overflow', items.length)
    this.#waiting += items.length
    const batches = this.#gathered.get(mark.collection) ?? []
    this.#gathered.set(mark.collection, batches)
    batches.push({ mark, items })
    this.#plan()
  }

  async write(mark: Mark, items: readonly Committed[], lease: VersionLease): Promise<void> {
    const { cache, measures } = this.#deps
    for (let from = 0; from < items.length; from += MAX_WRITE) {
      const part = items.slice(from, from + MAX_WRITE)
      const isWritten = await cache.write(part.map((item) => entryOf(mark, item, lease)))
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
      // never rejects: leases and cache answer failures as values
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
    for (const [mark, items] of joined(batches)) {
      if (lease?.epoch === mark.epoch && lease.deletes === mark.deletes) await this.write(mark, items, lease)
      else this.#drop('unconfirmed', items.length)
    }
  }
}

/** Batches of equal marks together: most are. */
function joined(batches: readonly Batch[]): readonly (readonly [Mark, readonly Committed[]])[] {
  const groups = Map.groupBy(batches, ({ mark }) => `${mark.deletes} ${mark.epoch}`)
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    return first === undefined ? [] : [[first.mark, group.flatMap(({ items }) => items)] as const]
  })
}

function entryOf({ collection, epoch, deletes }: Mark, item: Committed, { position }: VersionLease): CacheKey & Fact {
  return { collection, id: item.id, epoch, deletes, position, firstSeenMs: item.firstSeenMs }
}
