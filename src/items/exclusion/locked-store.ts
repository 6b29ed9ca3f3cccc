/**
 * Makes one of a plain store and locks what an arbitrating store is by itself: saved once, whoever sends it.
 *
 * For each item, in words:
 *   lock      by collection and content id; whoever else has it is waited for, up to a deadline.
 *   look      again, now under the lock, showing the fence: from here on the store refuses earlier holders.
 *   save      when the look found nothing, with the same fence; never once the lease may have ended.
 *   release   after the answer. A holder that dies is followed when its lease ends, by one with a greater fence.
 * A stale fence means that a later holder was here: the item is locked and looked for anew.
 *
 * Without fences in the store this is as good as the leases are: a holder that was stopped between its check and its
 * save can save a second time. GUARANTEES.md says so.
 */
import { failpoint, orMutant } from '#failpoint'
import { type IdentityPolicy, samePolicy } from '../../identity/policy.ts'
import type { Grant } from '../../lock/engine/grant.ts'
import { LockError } from '../../lock/lock-error.ts'
import type { Locker } from '../../lock/locker.ts'
import type { Clock } from '../../std/clock.ts'
import { IngotError } from '../../std/error.ts'
import { fullJitter, retry } from '../../std/retry.ts'
import type { Collection, ItemOutcome, PreparedItem } from '../item.ts'
import {
  type ItemStore,
  type OptionalMethod,
  type ServiceStore,
  storeCapabilities,
  type Unit,
  type UnitOutcome,
} from '../store.ts'
import { itemLockKey } from './batch-locks.ts'
import type { ExternalStore } from './external-store.ts'

/** A holder is followed at most so often for one item in one call. */
const MAX_STALE = 5

/**
 * The breaker refuses at once; an item that is refused is a request that fails, so it is asked again for so long, in
 * milliseconds: a hand-over and the breaker's rest fit in. It asks nobody who is away: the breaker stands between.
 */
const AWAY_MS = 5_000
const AGAIN = { baseMs: 200, maxMs: 400 }

const isAway = (thrown: unknown): boolean => thrown instanceof IngotError && thrown.code === 'LOCK_BREAKER_OPEN'

export interface LockedStoreOptions {
  /** Policies of collections; every other one goes by JSON. They cannot be kept in the store. */
  readonly policies: ReadonlyMap<string, IdentityPolicy>
  /** How long an item waits for its lock, milliseconds. */
  readonly waitMs: number
  readonly defaultPolicy: IdentityPolicy
}

export interface LockedStoreDeps {
  readonly plain: ExternalStore
  readonly locker: Locker
  readonly clock: Clock
}

export function createLockedStore(deps: LockedStoreDeps, options: LockedStoreOptions): ServiceStore {
  return new LockedStore(orMutant('locked-store', deps), options)
}

const OMITTED: Readonly<Partial<Record<OptionalMethod, string>>> = {
  define: 'policies of this store are set in the configuration of the service',
  get: 'the mapping of this store has no "get"',
  list: 'this store cannot list its items',
  delete: 'this store cannot delete items',
}

class LockedStore implements ServiceStore {
  // every item waits for itself alone: gathering them would only make them wait for each other
  readonly capabilities = storeCapabilities({ parallelPuts: Number.POSITIVE_INFINITY })
  readonly omitted = OMITTED
  readonly get?: ItemStore['get']
  readonly #deps: LockedStoreDeps
  readonly #options: LockedStoreOptions
  readonly #closing = new AbortController()

  constructor(deps: LockedStoreDeps, options: LockedStoreOptions) {
    this.#deps = deps
    this.#options = options
    const { get } = deps.plain
    if (get !== undefined) this.get = get
  }

  async put(units: readonly Unit[]): Promise<readonly UnitOutcome[]> {
    return Promise.all(units.map((unit) => this.#putUnit(unit)))
  }

  async collection(name: string): Promise<Collection> {
    return { name, policy: this.#policy(name) }
  }

  /** Of the store alone: replicas share their lock service, and without it reads still go. DECISIONS.md 18. */
  check(): Promise<void> {
    return this.#deps.plain.check()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new IngotError('SHUTTING_DOWN', 'the store is closed'))
    await this.#deps.locker[Symbol.asyncDispose]()
    await this.#deps.plain[Symbol.asyncDispose]()
  }

  #policy(name: string): IdentityPolicy {
    return this.#options.policies.get(name) ?? this.#options.defaultPolicy
  }

  async #putUnit(unit: Unit): Promise<UnitOutcome> {
    if (!samePolicy(unit.collection.policy, this.#policy(unit.collection.name))) return { kind: 'policy-changed' }
    // all are given their chance before a failure is told: what was saved is found when the rest is sent again
    const settled = await Promise.allSettled(unit.items.map((item) => this.#putItem(unit.collection, item)))
    return { kind: 'stored', outcomes: settled.map(outcomeOf) }
  }

  async #putItem(collection: Collection, item: PreparedItem): Promise<ItemOutcome> {
    for (let attempt = 0; attempt < MAX_STALE; attempt++) {
      const grant = await this.#lock(collection, item)
      try {
        const outcome = await this.#lookAndSave(collection, item, grant)
        if (outcome !== 'stale') return outcome
        if (grant.fence !== undefined) this.#deps.locker.fenceRefused(grant.key, grant.fence)
      } finally {
        failpoint('before-release')
        grant.releaseSoon()
      }
    }
    throw new IngotError('IN_FLIGHT', 'later holders kept coming before this one could save')
  }

  /** A lock service that is away for a moment, as while a master hands over, is waited for. */
  async #lock(collection: Collection, item: PreparedItem): Promise<Grant> {
    const { clock } = this.#deps
    const { waitMs } = this.#options
    const endMs = clock.monotonicMs() + Math.min(waitMs, AWAY_MS)
    try {
      return await retry(() => this.#acquire(itemLockKey(collection.name, item.id)), {
        delays: fullJitter(AGAIN),
        clock,
        signal: this.#closing.signal,
        retryable: (thrown) => isAway(thrown) && clock.monotonicMs() < endMs,
      })
    } catch (thrown) {
      if (!(thrown instanceof LockError) || thrown.reason !== 'held') throw thrown
      throw new IngotError('IN_FLIGHT', `the same content was being saved elsewhere for ${waitMs} ms`, {
        cause: thrown,
      })
    }
  }

  #acquire(key: string): Promise<Grant> {
    return this.#deps.locker.acquire(key, { waitMs: this.#options.waitMs, signal: this.#closing.signal })
  }

  async #lookAndSave(collection: Collection, item: PreparedItem, grant: Grant): Promise<ItemOutcome | 'stale'> {
    const { plain, clock } = this.#deps
    const under = { collection, fence: plain.fences ? grant.fence : undefined, signal: grant.signal }
    const look = await plain.find(item, under)
    if (look.kind === 'stale') return 'stale'
    if (look.kind === 'found') return { kind: 'duplicate', firstSeenMs: look.firstSeenMs, foundBy: 'store' }
    grant.assertHeld()
    failpoint('before-commit')
    const save = await plain.save(item, under, clock.wallMs())
    failpoint('after-commit')
    return save.kind === 'stale' ? 'stale' : { kind: 'created', firstSeenMs: save.firstSeenMs }
  }
}

function outcomeOf(settled: PromiseSettledResult<ItemOutcome>): ItemOutcome {
  if (settled.status === 'rejected') throw settled.reason
  return settled.value
}
