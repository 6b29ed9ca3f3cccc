/**
 * Puts items into the store so that the same content is never under way twice in this process. For each content, in
 * this order: an earlier one of the same call answers (`batch`), or the memory of committed items (`memory`), or a
 * commit under way (`inflight`); only what is left goes to the store, as one unit.
 */
import type { GroupCommit } from './group-commit.ts'
import type { Collection, FoundBy, ItemId, ItemOutcome, ItemResult, PreparedItem } from './item.ts'
import type { Prepared } from './prepare.ts'
import type { Mark, RecentItems } from './recent.ts'
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

/** A content whose result comes with a commit. */
interface Pending {
  readonly index: number
  readonly id: ItemId
  readonly flight: Flight
  /** What recognised it as a duplicate of the flight's item; absent for that item itself. */
  readonly foundBy?: FoundBy
}

export function createSingleFlight(deps: { readonly commit: GroupCommit; readonly recent: RecentItems }): SingleFlight {
  return new FlightBook(deps.commit, deps.recent)
}

class FlightBook implements SingleFlight {
  readonly #commit: GroupCommit
  readonly #recent: RecentItems
  /** By collection, then by id. */
  readonly #flights = new Map<string, Map<ItemId, Flight>>()

  constructor(commit: GroupCommit, recent: RecentItems) {
    this.#commit = commit
    this.#recent = recent
  }

  async put(collection: Collection, prepared: readonly Prepared[]): Promise<readonly ItemResult[] | undefined> {
    const results: ItemResult[] = []
    let under: Promise<UnitOutcome> | undefined
    let unit: UnitOutcome | undefined
    for (const one of this.#plan(collection, prepared, results)) {
      // most items of a call share a unit: it is awaited once
      if (one.flight.unit !== under) unit = await (under = one.flight.unit)
      const outcome = unit?.kind === 'stored' ? unit.outcomes[one.flight.at] : undefined
      if (outcome === undefined) return undefined
      results[one.index] = landed(one, outcome)
    }
    return results
  }

  /** Fills in the results that are known already, starts what has to be stored, and says what is to be waited for. */
  #plan(collection: Collection, prepared: readonly Prepared[], results: ItemResult[]): readonly Pending[] {
    const flights = this.#flightsOf(collection)
    const fresh: PreparedItem[] = []
    const pending: Pending[] = []
    const { promise: unit, resolve } = Promise.withResolvers<UnitOutcome>()
    const join = (index: number, item: PreparedItem): Pending => {
      const under = flights.get(item.id)
      if (under !== undefined) {
        return { index, id: item.id, flight: under, foundBy: under.unit === unit ? 'batch' : 'inflight' }
      }
      const flight = { unit, at: fresh.push(item) - 1 }
      flights.set(item.id, flight)
      return { index, id: item.id, flight }
    }
    // by index, without an iterator's pair for each: this loop runs once for every item that ever comes
    for (let index = 0; index < prepared.length; index++) {
      const content = prepared[index]
      if (content === undefined) continue
      const known = this.#known(collection, content)
      if (known !== undefined) results[index] = known
      else if (!('refused' in content)) pending.push(join(index, content))
    }
    if (fresh.length > 0) resolve(this.#launch(collection, fresh, flights))
    // who brought these may have been told an earlier failure and be gone; a rejection unheard would end the process
    unit.catch(() => {})
    return pending
  }

  #known(collection: Collection, content: Prepared): ItemResult | undefined {
    if ('refused' in content) return { kind: 'refused', fault: content.refused }
    const { id } = content
    const firstSeenMs = this.#recent.firstSeenMs(collection.name, id)
    return firstSeenMs === undefined ? undefined : { kind: 'duplicate', id, firstSeenMs, foundBy: 'memory' }
  }

  #flightsOf(collection: Collection): Map<ItemId, Flight> {
    const known = this.#flights.get(collection.name) ?? new Map<ItemId, Flight>()
    this.#flights.set(collection.name, known)
    return known
  }

  /** Brings the items to the store; until they have landed, whoever brings one of them again joins. */
  async #launch(
    collection: Collection,
    items: readonly PreparedItem[],
    flights: Map<ItemId, Flight>,
  ): Promise<UnitOutcome> {
    const mark = this.#recent.mark(collection.name)
    try {
      const outcome = await this.#commit.submit({ collection, items })
      if (outcome.kind === 'stored') rememberAll(this.#recent, mark, items, outcome.outcomes)
      return outcome
    } finally {
      for (const item of items) flights.delete(item.id)
      if (flights.size === 0) this.#flights.delete(collection.name)
    }
  }
}

function landed({ id, foundBy }: Pending, outcome: ItemOutcome): ItemResult {
  const { firstSeenMs } = outcome
  if (foundBy !== undefined) return { kind: 'duplicate', id, firstSeenMs, foundBy }
  return outcome.kind === 'created'
    ? { kind: 'created', id, firstSeenMs }
    : { kind: 'duplicate', id, firstSeenMs, foundBy: outcome.foundBy }
}

/** Submissions of more items are taken for somebody reading through old ones. */
const SCAN_ITEMS = 16

/**
 * Only after the commit: what is remembered here is answered for. What the store recognised in a scan is left out: each
 * of its items was last met long ago, and together they would push out what is met often.
 */
export function rememberAll(
  recent: RecentItems,
  mark: Mark | undefined,
  items: readonly PreparedItem[],
  outcomes: readonly ItemOutcome[],
): void {
  if (mark === undefined) return
  for (const [at, item] of items.entries()) {
    const outcome = outcomes[at]
    if (outcome === undefined || (outcome.kind === 'duplicate' && items.length > SCAN_ITEMS)) continue
    recent.remember(mark, item.id, outcome.firstSeenMs)
  }
}
