/**
 * Puts items into the store so that the same content is never under way twice in this process. For each content, in
 * this order: an earlier one of the same call answers (`batch`), or the memory of committed items (`memory`), or a
 * commit under way (`inflight`); only what is left goes to the store, as one unit.
 */
import type { GroupCommit } from './group-commit.ts'
import type { Collection, FoundBy, ItemId, ItemOutcome, ItemResult, PreparedItem } from './item.ts'
import type { Prepared } from './prepare.ts'
import type { RecentItems } from './recent.ts'
import type { UnitOutcome } from './store.ts'

export interface SingleFlight {
  /** One result per content, or `undefined` when the collection's policy is not the one given: nothing was stored. */
  put(collection: Collection, prepared: readonly Prepared[]): Promise<readonly ItemResult[] | undefined>
}

/** A unit on its way to the store, and where in it an item stands. */
interface Flight {
  readonly unit: Promise<UnitOutcome>
  readonly at: number
}

/** How one content gets its result: known at once, from a flight, or as an earlier content of the same call. */
type Slot =
  | { readonly kind: 'known'; readonly result: ItemResult }
  | { readonly kind: 'flight'; readonly id: ItemId; readonly flight: Flight; readonly joined: boolean }
  | { readonly kind: 'repeat'; readonly id: ItemId; readonly of: number }

export function createSingleFlight(deps: { readonly commit: GroupCommit; readonly recent: RecentItems }): SingleFlight {
  return new FlightBook(deps.commit, deps.recent)
}

class FlightBook implements SingleFlight {
  readonly #commit: GroupCommit
  readonly #recent: RecentItems
  readonly #flights = new Map<string, Flight>()

  constructor(commit: GroupCommit, recent: RecentItems) {
    this.#commit = commit
    this.#recent = recent
  }

  async put(collection: Collection, prepared: readonly Prepared[]): Promise<readonly ItemResult[] | undefined> {
    const slots = this.#plan(collection, prepared)
    const results: ItemResult[] = []
    for (const slot of slots) {
      const result = slot.kind === 'flight' ? await fromFlight(slot) : fromSlot(slot, results)
      if (result === undefined) return undefined
      results.push(result)
    }
    return results
  }

  #plan(collection: Collection, prepared: readonly Prepared[]): Slot[] {
    const firsts = new Map<ItemId, number>()
    const fresh: PreparedItem[] = []
    const shared = Promise.withResolvers<UnitOutcome>()
    const slots = prepared.map((content, index): Slot => {
      if ('refused' in content) return { kind: 'known', result: { kind: 'refused', fault: content.refused } }
      const { item } = content
      const slot = this.#slotOf(collection, item.id, firsts.get(item.id))
      if (slot !== undefined) return slot
      firsts.set(item.id, index)
      return { kind: 'flight', id: item.id, flight: { unit: shared.promise, at: fresh.push(item) - 1 }, joined: false }
    })
    if (fresh.length > 0) shared.resolve(this.#launch(collection, fresh))
    return slots
  }

  #slotOf(collection: Collection, id: ItemId, first: number | undefined): Slot | undefined {
    if (first !== undefined) return { kind: 'repeat', id, of: first }
    const firstSeenMs = this.#recent.firstSeenMs(collection.name, id)
    if (firstSeenMs !== undefined) {
      return { kind: 'known', result: { kind: 'duplicate', id, firstSeenMs, foundBy: 'memory' } }
    }
    const flight = this.#flights.get(id + collection.name)
    return flight && { kind: 'flight', id, flight, joined: true }
  }

  /** Starts the unit; until it has landed, whoever brings one of its items joins it. */
  #launch(collection: Collection, items: readonly PreparedItem[]): Promise<UnitOutcome> {
    const unit = this.#land(collection, items, this.#commit.submit({ collection, items }))
    for (const [at, item] of items.entries()) this.#flights.set(item.id + collection.name, { unit, at })
    return unit
  }

  async #land(
    collection: Collection,
    items: readonly PreparedItem[],
    unit: Promise<UnitOutcome>,
  ): Promise<UnitOutcome> {
    try {
      const outcome = await unit
      if (outcome.kind === 'stored') rememberAll(this.#recent, collection, items, outcome.outcomes)
      return outcome
    } finally {
      for (const item of items) this.#flights.delete(item.id + collection.name)
    }
  }
}

/** Only after the commit: what is remembered here is answered for. */
export function rememberAll(
  recent: RecentItems,
  collection: Collection,
  items: readonly PreparedItem[],
  outcomes: readonly ItemOutcome[],
): void {
  for (const [at, item] of items.entries()) {
    const outcome = outcomes[at]
    if (outcome !== undefined) recent.remember(collection.name, item.id, outcome.firstSeenMs)
  }
}

function fromSlot(slot: Exclude<Slot, { kind: 'flight' }>, earlier: readonly ItemResult[]): ItemResult | undefined {
  if (slot.kind === 'known') return slot.result
  const first = earlier[slot.of]
  return first === undefined || first.kind === 'refused' ? first : repeated(slot.id, first, 'batch')
}

async function fromFlight(slot: Extract<Slot, { kind: 'flight' }>): Promise<ItemResult | undefined> {
  const unit = await slot.flight.unit
  const outcome = unit.kind === 'stored' ? unit.outcomes[slot.flight.at] : undefined
  if (outcome === undefined) return undefined
  return slot.joined ? repeated(slot.id, outcome, 'inflight') : { ...outcome, id: slot.id }
}

function repeated(id: ItemId, first: ItemOutcome, foundBy: FoundBy): ItemResult {
  return { kind: 'duplicate', id, firstSeenMs: first.firstSeenMs, foundBy }
}
