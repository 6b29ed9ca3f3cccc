/**
 * Adds uniqueness to a store that lacks it, using locks.
 *
 * Steps for each item:
 *   lock      by collection and content id. Waits for another holder, up to a deadline.
 *   find      under the lock, with the fence. From then on the store refuses earlier holders.
 *   save      with the same fence, if the item was not found and the lease is certain to be valid.
 *   release   after the response. If a holder dies, the next one follows when its lease ends, with a greater fence.
 * A stale fence means that there was a later holder. Then the steps start again.
 *
 * If the store does not check fences, the guarantee depends on the leases: a holder that is stopped between its check and
 * its save can save a second time. GUARANTEES.md describes this limit.
 */
import { failpoint, orMutant } from '#failpoint'
import { IngotError } from '../../errors/error.ts'
import { type IdentityPolicy, samePolicy } from '../../identity/policy.ts'
import type { Grant } from '../../lock/engine/grant.ts'
import { LockError } from '../../lock/lock-error.ts'
import type { Locker } from '../../lock/locker.ts'
import type { Clock } from '../../std/clock.ts'
import { fullJitter, retry } from '../../std/retry.ts'
import { withSpan, withUnitSpan } from '../../telemetry/spans.ts'
import { pageOfAll } from '../collection-page.ts'
import type { Collection, ItemOutcome, PreparedItem } from '../item.ts'
import {
  type CollectionPage,
  type FoundMark,
  type ItemStore,
  type OptionalMethod,
  type PageRequest,
  type ServiceStore,
  storeCapabilities,
  type Unit,
  type UnitOutcome,
} from '../store.ts'
import { itemLockKey } from './batch-locks.ts'
import type { ExternalStore } from './external-store.ts'

/** Maximum number of attempts for one item in one call. Each failed attempt means a later holder. */
const MAX_STALE = 5

/**
 * How long a lock is retried while the breaker is open, in milliseconds. It covers a switchover and the breaker's rest,
 * so neither fails a request. Retries go through the breaker, so they never reach a service that is down.
 */
const RETRY_OUTAGE_MS = 5_000
const AGAIN = { baseMs: 200, maxMs: 400 }

const isOutage = (thrown: unknown): boolean => thrown instanceof IngotError && thrown.code === 'LOCK_BREAKER_OPEN'

export interface LockedStoreOptions {
  /** Policies of collections. All others have `defaultPolicy`. The store itself cannot store policies. */
  readonly policies: ReadonlyMap<string, IdentityPolicy>
  /** Maximum wait of an item for its lock, in milliseconds. */
  readonly waitMs: number
  readonly defaultPolicy: IdentityPolicy
}

export interface LockedStoreDeps {
  readonly external: ExternalStore
  readonly locker: Locker
  readonly clock: Clock
  /** Called for each lookup or save that the store refused because of a later holder. */
  readonly onStale?: () => void
}

export function createLockedStore(deps: LockedStoreDeps, options: LockedStoreOptions): ServiceStore {
  return new LockedStore(orMutant('locked-store', deps), options)
}

const OMITTED: Readonly<Partial<Record<OptionalMethod, string>>> = {
  define: 'policies of this store are set in the configuration of the service',
  get: 'the mapping of this store has no "get"',
  list: 'this store cannot list its items',
  delete: 'this store cannot delete items',
  deleteCollection: 'this store cannot list its items, so it cannot delete a collection',
  deletion: 'this store cannot list its items, so it cannot delete a collection',
}

class LockedStore implements ServiceStore {
  // each item has its own lock and save, so batches would only make items wait for each other
  readonly capabilities = storeCapabilities({ parallelPuts: Number.POSITIVE_INFINITY })
  readonly omitted = OMITTED
  readonly get?: ItemStore['get']
  readonly #deps: LockedStoreDeps
  readonly #options: LockedStoreOptions
  readonly #closing = new AbortController()

  constructor(deps: LockedStoreDeps, options: LockedStoreOptions) {
    this.#deps = deps
    this.#options = options
    const { get } = deps.external
    if (get !== undefined) this.get = get
  }

  async put(units: readonly Unit[]): Promise<readonly UnitOutcome[]> {
    return Promise.all(units.map((unit) => this.#putUnit(unit)))
  }

  async collection(name: string): Promise<Collection> {
    return { name, policy: this.#policy(name) }
  }

  /** Returns the collections that the configuration names. The store cannot list others, and counts none. */
  async collections(page: PageRequest): Promise<CollectionPage> {
    return pageOfAll(
      Array.from(this.#options.policies, ([name, policy]) => ({ name, policy })),
      page,
    )
  }

  /** Looks an item up without a lock and without a fence, so holders of locks are not affected. */
  async find(collection: Collection, item: PreparedItem): Promise<FoundMark | undefined> {
    const { signal } = this.#closing
    const lookup = await this.#deps.external.find(item, { collection, fence: undefined, signal })
    return lookup.kind === 'found' ? { id: item.id, firstSeenMs: lookup.firstSeenMs } : undefined
  }

  /** Checks the store alone. All replicas share the lock service, and reads work without it (DECISIONS.md 18). */
  check(): Promise<void> {
    return this.#deps.external.check()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new IngotError('SHUTTING_DOWN', 'the store is closed'))
    await this.#deps.locker[Symbol.asyncDispose]()
    await this.#deps.external[Symbol.asyncDispose]()
  }

  #policy(name: string): IdentityPolicy {
    return this.#options.policies.get(name) ?? this.#options.defaultPolicy
  }

  async #putUnit(unit: Unit): Promise<UnitOutcome> {
    if (!samePolicy(unit.collection.policy, this.#policy(unit.collection.name))) return { kind: 'policy-changed' }
    if (unit.items.length === 1) return this.#putItems(unit)
    return withUnitSpan('ingot.forward', { 'ingot.items': unit.items.length }, () => this.#putItems(unit))
  }

  /** Tries every item before a failure is reported, so that a retry of the request finds the saved ones. */
  async #putItems(unit: Unit): Promise<UnitOutcome> {
    const settled = await Promise.allSettled(unit.items.map((item) => this.#putItem(unit.collection, item)))
    return { kind: 'stored', outcomes: settled.map(outcomeOf) }
  }

  async #putItem(collection: Collection, item: PreparedItem): Promise<ItemOutcome> {
    for (let attempt = 0; attempt < MAX_STALE; attempt++) {
      const grant = await this.#lock(collection, item)
      try {
        const outcome = await this.#findAndSave(collection, item, grant)
        if (outcome !== 'stale') return outcome
        this.#deps.onStale?.()
        if (grant.fence !== undefined) this.#deps.locker.fenceRefused(grant.key, grant.fence)
      } finally {
        failpoint('before-release')
        grant.releaseSoon()
      }
    }
    throw new IngotError('IN_FLIGHT', 'the item was not saved: each attempt was overtaken by a later holder')
  }

  /** Retries during a short outage of the lock service, such as a switchover. */
  async #lock(collection: Collection, item: PreparedItem): Promise<Grant> {
    const { clock } = this.#deps
    const { waitMs } = this.#options
    const endMs = clock.monotonicMs() + Math.min(waitMs, RETRY_OUTAGE_MS)
    try {
      const key = itemLockKey(collection.name, item.id)
      const acquire = (): Promise<Grant> =>
        retry(() => this.#acquire(key), {
          delays: fullJitter(AGAIN),
          clock,
          signal: this.#closing.signal,
          retryable: (thrown) => isOutage(thrown) && clock.monotonicMs() < endMs,
        })
      return await withSpan('ingot.lock', { 'ingot.lock.keys': 1 }, acquire)
    } catch (thrown) {
      if (!(thrown instanceof LockError) || thrown.reason !== 'held') throw thrown
      throw new IngotError('IN_FLIGHT', `another client was saving the same content for ${waitMs} ms`, {
        cause: thrown,
      })
    }
  }

  #acquire(key: string): Promise<Grant> {
    return this.#deps.locker.acquire(key, { waitMs: this.#options.waitMs, signal: this.#closing.signal })
  }

  async #findAndSave(collection: Collection, item: PreparedItem, grant: Grant): Promise<ItemOutcome | 'stale'> {
    const { external, clock } = this.#deps
    const under = { collection, fence: external.fences ? grant.fence : undefined, signal: grant.signal }
    const lookup = await external.find(item, under)
    if (lookup.kind === 'stale') return 'stale'
    if (lookup.kind === 'found') return { kind: 'duplicate', firstSeenMs: lookup.firstSeenMs, foundBy: 'store' }
    grant.assertHeld()
    failpoint('before-commit')
    const save = await external.save(item, under, clock.wallMs())
    failpoint('after-commit')
    return save.kind === 'stale' ? 'stale' : { kind: 'created', firstSeenMs: save.firstSeenMs }
  }
}

function outcomeOf(settled: PromiseSettledResult<ItemOutcome>): ItemOutcome {
  if (settled.status === 'rejected') throw settled.reason
  return settled.value
}
