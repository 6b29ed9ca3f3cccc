/**
 * A store behind a cache. An item is a duplicate, without a query to the store, if the cache has its fact and a lease
 * confirms it (see cache.ts). The other items of the batch go to the store. The cache is behind the group commit. A
 * batch is therefore one request to the cache, and the limits and back-pressure of the queue include items that wait
 * for the cache.
 *
 * A unit with an Idempotency-Key goes to the store unchanged, because its receipt is stored in the same transaction.
 */
import { orMutant } from '#failpoint'
import { IngotError } from '../../errors/error.ts'
import type { PutStamp } from '../freshness/recent-ids.ts'
import type { VersionLease, VersionLeases } from '../freshness/version-lease.ts'
import type { ItemOutcome, PreparedItem } from '../item.ts'
import type { StoreWriter, Unit, UnitOutcome } from '../store.ts'
import type { CacheKey, Fact } from './cache.ts'
import type { GuardedCache } from './guarded-cache.ts'
import { createHitRate } from './hit-rate.ts'
import type { CacheMeasures } from './measure.ts'
import type { CacheWrites, Committed } from './write-behind.ts'

export interface CachedStoreDeps {
  readonly store: StoreWriter
  readonly cache: GuardedCache
  readonly leases: VersionLeases
  readonly writes: CacheWrites
  readonly measures: CacheMeasures
}

/** Outcomes of a unit's items that the cache knows, in their order. */
type Known = readonly (ItemOutcome | undefined)[]

/** A unit for the store, or the part of it that the cache does not know. */
interface Sent {
  readonly at: number
  readonly unit: Unit
  readonly stamp: PutStamp | undefined
}

export function withCache(deps: CachedStoreDeps): StoreWriter {
  return new CachedStore(orMutant('cached-store', deps))
}

class CachedStore implements StoreWriter {
  readonly capabilities: StoreWriter['capabilities']
  readonly #deps: CachedStoreDeps
  readonly #yield = createHitRate()

  constructor(deps: CachedStoreDeps) {
    this.capabilities = deps.store.capabilities
    this.#deps = deps
  }

  async put(units: readonly Unit[], nowMs: number): Promise<readonly UnitOutcome[]> {
    const known = await this.#lookUp(units)
    const sent = units.flatMap((unit, at) => this.#send(unit, at, known.get(unit)))
    const stored =
      sent.length === 0
        ? []
        : await this.#deps.store.put(
            sent.map(({ unit }) => unit),
            nowMs,
          )
    if (stored.length !== sent.length) {
      throw new IngotError('INTERNAL', 'the store returned fewer outcomes than units')
    }
    const outcomeOf = new Map<number, UnitOutcome>()
    for (const [index, outcome] of stored.entries()) {
      const one = sent[index]
      if (one === undefined) continue
      outcomeOf.set(one.at, outcome)
      this.#remember(one, outcome)
    }
    return units.map((unit, at) => merged(known.get(unit) ?? [], outcomeOf.get(at)))
  }

  async #lookUp(units: readonly Unit[]): Promise<ReadonlyMap<Unit, Known>> {
    const asked = units.filter((unit) => unit.idempotency === undefined && this.#leaseOf(unit) !== undefined)
    const keys = asked.flatMap(keysOf)
    if (keys.length === 0 || !this.#yield.isWorthReading(keys.length)) return new Map()
    const facts = await this.#deps.cache.read(keys)
    return facts === undefined ? new Map() : this.#judge(asked, facts)
  }

  /** Uses the leases at the time of the response, not of the request. */
  #judge(asked: readonly Unit[], facts: readonly (Fact | undefined)[]): ReadonlyMap<Unit, Known> {
    const known = new Map<Unit, Known>()
    let from = 0
    let hits = 0
    for (const unit of asked) {
      const lease = this.#leaseOf(unit)
      const own = facts.slice(from, (from += unit.items.length))
      const outcomes = own.map((fact) =>
        fact !== undefined && lease !== undefined && believes(fact, lease) ? duplicate(fact) : undefined,
      )
      hits += outcomes.filter((outcome) => outcome !== undefined).length
      known.set(unit, outcomes)
    }
    const there = facts.filter((fact) => fact !== undefined).length
    this.#deps.measures.lookedUp(hits, facts.length - there, there - hits)
    this.#yield.record(hits, facts.length)
    return known
  }

  #leaseOf(unit: Unit): VersionLease | undefined {
    return this.#deps.leases.recorded(unit.collection.name)
  }

  /** Returns the part of the unit that the cache does not know, or nothing if it knows all. */
  #send(unit: Unit, at: number, known: Known = []): readonly Sent[] {
    const items = unit.items.filter((_, index) => known[index] === undefined)
    if (items.length === 0 && unit.items.length > 0) return []
    const lease = this.#deps.leases.current(unit.collection.name)
    const stamp = lease && { collection: unit.collection.name, epoch: lease.epoch, deletes: lease.deletes }
    return [{ at, unit: items.length === unit.items.length ? unit : { ...unit, items }, stamp }]
  }

  #remember({ unit, stamp }: Sent, outcome: UnitOutcome): void {
    if (stamp === undefined || outcome.kind !== 'stored') return
    this.#deps.writes.add(stamp, committed(unit.items, outcome.outcomes))
  }
}

/** Returns true if the fact proves that the item is in the store now. */
function believes(fact: Fact, lease: VersionLease): boolean {
  return fact.epoch === lease.epoch && fact.position <= lease.position && fact.deletes === lease.deletes
}

function keysOf({ collection, items }: Unit): readonly CacheKey[] {
  return items.map(({ id }) => ({ collection: collection.name, id }))
}

function duplicate({ firstSeenMs }: Fact): ItemOutcome {
  return { kind: 'duplicate', firstSeenMs, foundBy: 'cache' }
}

function committed(items: readonly PreparedItem[], outcomes: readonly ItemOutcome[]): readonly Committed[] {
  return items.flatMap(({ id }, index) => {
    const outcome = outcomes[index]
    return outcome === undefined ? [] : [{ id, firstSeenMs: outcome.firstSeenMs }]
  })
}

/** Merges the store's outcomes with those of the cache. */
function merged(known: Known, stored: UnitOutcome | undefined): UnitOutcome {
  if (stored === undefined) return { kind: 'stored', outcomes: known.filter((outcome) => outcome !== undefined) }
  if (stored.kind !== 'stored' || known.every((outcome) => outcome === undefined)) return stored
  const rest = stored.outcomes.values()
  const outcomes = known.flatMap((outcome) => outcome ?? rest.next().value ?? [])
  return { ...stored, outcomes }
}
