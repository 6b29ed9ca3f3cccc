/**
 * Puts items so that this process never has two commits of the same content in flight. The outcome of a content comes
 * from the first of these that knows it: the memory of committed ids (`memory`), an earlier item of the same call
 * (`batch`), or a commit in flight (`inflight`). The remaining items go to the store as one unit.
 */

import type { PutStamp, RecentItems } from '../freshness/recent-ids.ts'
import type { Collection, FoundBy, ItemId, ItemOutcome, ItemResult, PreparedItem } from '../item.ts'
import type { Prepared } from '../prepare.ts'
import type { UnitOutcome } from '../store.ts'
import type { GroupCommit } from './group-commit.ts'

export interface SingleFlight {
  /**
   * Returns one result per content. Returns `undefined`, and stores nothing, if the collection has another policy than
   * the one given.
   */
  put(collection: Collection, prepared: readonly Prepared[]): Promise<readonly ItemResult[] | undefined>
}

/** A unit in flight, and the index of an item in it. */
interface Flight {
  readonly unit: Promise<UnitOutcome>
  readonly at: number
}

/** An item whose content is already in flight. */
interface Joined {
  readonly index: number
  readonly id: ItemId
  readonly flight: Flight
  readonly foundBy: FoundBy
}

/** The state of one call. The lists are flat because they have an entry for every item of the service. */
interface Plan {
  /** Filled in as the results become known. */
  readonly results: ItemResult[]
  /** Items that this call puts as `unit`, and the index of each one in the call. */
  readonly fresh: PreparedItem[]
  readonly indexes: number[]
  readonly unit: Promise<UnitOutcome>
  readonly joined: Joined[]
}

export function createSingleFlight(deps: { readonly commit: GroupCommit; readonly recent: RecentItems }): SingleFlight {
  return new InFlightCommits(deps.commit, deps.recent)
}

class InFlightCommits implements SingleFlight {
  readonly #commit: GroupCommit
  readonly #recent: RecentItems
  /** By collection, then by id. */
  readonly #flights = new Map<string, Map<ItemId, Flight>>()

  constructor(commit: GroupCommit, recent: RecentItems) {
    this.#commit = commit
    this.#recent = recent
  }

  async put(collection: Collection, prepared: readonly Prepared[]): Promise<readonly ItemResult[] | undefined> {
    const plan = this.#plan(collection, prepared)
    if (plan.fresh.length > 0 && !fillResults(plan, await plan.unit)) return undefined
    for (const { index, id, flight, foundBy } of plan.joined) {
      const outcome = outcomeAt(await flight.unit, flight.at)
      if (outcome === undefined) return undefined
      plan.results[index] = { kind: 'duplicate', id, firstSeenMs: outcome.firstSeenMs, foundBy }
    }
    return plan.results
  }

  /** Fills in the known results, starts the commit of the remaining items, and returns the state to wait for. */
  #plan(collection: Collection, prepared: readonly Prepared[]): Plan {
    const flights = this.#flightsOf(collection)
    const { promise: unit, resolve } = Promise.withResolvers<UnitOutcome>()
    const plan: Plan = { results: [], fresh: [], indexes: [], unit, joined: [] }
    // by index: this loop runs for every item, and an iterator would allocate a pair for each
    for (let index = 0; index < prepared.length; index++) {
      const content = prepared[index]
      if (content === undefined) continue
      const known = this.#known(collection, content)
      if (known !== undefined) plan.results[index] = known
      else if (!('refused' in content)) add(plan, flights, { index, item: content })
    }
    if (plan.fresh.length > 0) resolve(this.#launch(collection, plan.fresh, flights))
    // the caller may have left after an earlier failure, and an unhandled rejection would end the process
    unit.catch(() => {})
    return plan
  }

  #known(collection: Collection, content: Prepared): ItemResult | undefined {
    if ('refused' in content) return { kind: 'refused', error: content.refused }
    const { id } = content
    const firstSeenMs = this.#recent.firstSeenMs(collection.name, id)
    return firstSeenMs === undefined ? undefined : { kind: 'duplicate', id, firstSeenMs, foundBy: 'memory' }
  }

  #flightsOf(collection: Collection): Map<ItemId, Flight> {
    const known = this.#flights.get(collection.name) ?? new Map<ItemId, Flight>()
    this.#flights.set(collection.name, known)
    return known
  }

  /** Puts the items. Until the commit ends, calls with the same content join it. */
  async #launch(
    collection: Collection,
    items: readonly PreparedItem[],
    flights: Map<ItemId, Flight>,
  ): Promise<UnitOutcome> {
    const stamp = this.#recent.stamp(collection.name)
    try {
      const outcome = await this.#commit.submit({ collection, items })
      if (outcome.kind === 'stored') rememberAll(this.#recent, stamp, items, outcome.outcomes)
      return outcome
    } finally {
      for (const item of items) flights.delete(item.id)
      if (flights.size === 0) this.#flights.delete(collection.name)
    }
  }
}

function add(plan: Plan, flights: Map<ItemId, Flight>, { index, item }: { index: number; item: PreparedItem }): void {
  const flight = flights.get(item.id)
  if (flight !== undefined) {
    const foundBy = flight.unit === plan.unit ? 'batch' : 'inflight'
    plan.joined.push({ index, id: item.id, flight, foundBy })
    return
  }
  plan.indexes.push(index)
  flights.set(item.id, { unit: plan.unit, at: plan.fresh.push(item) - 1 })
}

/** Fills in the results of the unit. Returns false if the unit was not stored. */
function fillResults({ results, fresh, indexes }: Plan, unit: UnitOutcome): boolean {
  for (let at = 0; at < fresh.length; at++) {
    const outcome = outcomeAt(unit, at)
    const id = fresh[at]?.id
    const index = indexes[at]
    if (outcome === undefined || id === undefined || index === undefined) return false
    const { firstSeenMs } = outcome
    results[index] =
      outcome.kind === 'created'
        ? { kind: 'created', id, firstSeenMs }
        : { kind: 'duplicate', id, firstSeenMs, foundBy: outcome.foundBy }
  }
  return true
}

function outcomeAt(unit: UnitOutcome, at: number): ItemOutcome | undefined {
  return unit.kind === 'stored' ? unit.outcomes[at] : undefined
}

/** A submission of more items counts as a scan of old items. */
const SCAN_ITEMS = 16

/**
 * Remembers committed items. Call it only after the commit. Duplicates that the store found in a scan are not
 * remembered: they are rarely sent again, and would evict items that are sent often.
 */
export function rememberAll(
  recent: RecentItems,
  stamp: PutStamp | undefined,
  items: readonly PreparedItem[],
  outcomes: readonly ItemOutcome[],
): void {
  if (stamp === undefined) return
  for (let at = 0; at < items.length; at++) {
    const item = items[at]
    const outcome = outcomes[at]
    if (item === undefined || outcome === undefined || (outcome.kind === 'duplicate' && items.length > SCAN_ITEMS))
      continue
    recent.remember(stamp, item.id, outcome.firstSeenMs)
  }
}
