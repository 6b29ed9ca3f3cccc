/**
 * A store behind a cache: of each batch, what the cache states and a lease confirms (see cache.ts) is answered without
 * the store, and the rest goes there. It sits behind the group commit, so that a batch is one question to the cache, and
 * the bounds and the back-pressure of the queue hold for what waits for the cache too.
 *
 * Units with an Idempotency-Key go to the store whole: their answer is kept in the same transaction.
 */
import { orMutant } from '#failpoint'
import { IngotError } from '../../std/error.ts'
import type { Mark } from '../freshness/recent-ids.ts'
import type { VersionLease, VersionLeases } from '../freshness/version-lease.ts'
import type { ItemOutcome, PreparedItem } from '../item.ts'
import type { StoreWriter, Unit, UnitOutcome } from '../store.ts'
import type { CacheKey, Fact } from './cache.ts'
import type { GuardedCache } from './guarded-cache.ts'
import { createCacheYield } from './hit-rate.ts'
import type { CacheMeasures } from './measure.ts'
import type { CacheWrites, Committed } from './write-behind.ts'

export interface CachedStoreDeps {
  readonly store: StoreWriter
  readonly cache: GuardedCache
  readonly leases: VersionLeases
  readonly writes: CacheWrites
  readonly measures: CacheMeasures
}

/** What is known of a unit's items, in their order. */
type Known = readonly (ItemOutcome | undefined)[]

/** A unit, or what is left of it, on its way to the store. */
interface Sent {
  readonly at: number
  readonly unit: Unit
  readonly mark: Mark | undefined
}

export function withCache(deps: CachedStoreDeps): StoreWriter {
  return new CachedStore(orMutant('cached-store', deps))
}

class CachedStore implements StoreWriter {
  readonly capabilities: StoreWriter['capabilities']
  readonly #deps: CachedStoreDeps
  readonly #yield = createCacheYield()

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
      throw new IngotError('INTERNAL', 'the store answered for fewer units than it got')
    }
    const answers = new Map<number, UnitOutcome>()
    for (const [index, outcome] of stored.entries()) {
      const one = sent[index]
      if (one === undefined) continue
      answers.set(one.at, outcome)
      this.#remember(one, outcome)
    }
    return units.map((unit, at) => merged(known.get(unit) ?? [], answers.get(at)))
  }

  async #lookUp(units: readonly Unit[]): Promise<ReadonlyMap<Unit, Known>> {
    const asked = units.filter((unit) => unit.idempotency === undefined && this.#leaseOf(unit) !== undefined)
    const keys = asked.flatMap(keysOf)
    if (keys.length === 0 || !this.#yield.isWorthAsking(keys.length)) return new Map()
    const facts = await this.#deps.cache.read(keys)
    return facts === undefined ? new Map() : this.#judge(asked, facts)
  }

  /** By the leases of now, not of when the question was sent. */
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
    this.#deps.measures.looked(hits, facts.length - there, there - hits)
    this.#yield.note(hits, facts.length)
    return known
  }

  #leaseOf(unit: Unit): VersionLease | undefined {
    return this.#deps.leases.noted(unit.collection.name)
  }

  /** What of the unit the cache does not know; nothing when it knows all. */
  #send(unit: Unit, at: number, known: Known = []): readonly Sent[] {
    const items = unit.items.filter((_, index) => known[index] === undefined)
    if (items.length === 0 && unit.items.length > 0) return []
    const lease = this.#deps.leases.current(unit.collection.name)
    const mark = lease && { collection: unit.collection.name, epoch: lease.epoch, deletes: lease.deletes }
    return [{ at, unit: items.length === unit.items.length ? unit : { ...unit, items }, mark }]
  }

  #remember({ unit, mark }: Sent, outcome: UnitOutcome): void {
    if (mark === undefined || outcome.kind !== 'stored') return
    this.#deps.writes.add(mark, committed(unit.items, outcome.outcomes))
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

/** The store's answer for what it got, put among what the cache knew. */
function merged(known: Known, answer: UnitOutcome | undefined): UnitOutcome {
  if (answer === undefined) return { kind: 'stored', outcomes: known.filter((outcome) => outcome !== undefined) }
  if (answer.kind !== 'stored' || known.every((outcome) => outcome === undefined)) return answer
  const rest = answer.outcomes.values()
  const outcomes = known.flatMap((outcome) => outcome ?? rest.next().value ?? [])
  return { ...answer, outcomes }
}
