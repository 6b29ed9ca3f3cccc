/** Store, locks and commit of the service, put together from its configuration. */
import { loadMapping } from '../config/mapping.ts'
import type { Config } from '../config/schema.ts'
import { DEFAULT_POLICY, parsePolicy } from '../identity/policy.ts'
import { withClaims } from '../items/claimed-store.ts'
import { createDirectCommit } from '../items/direct-commit.ts'
import { createGroupCommit, type GroupCommit, type GroupCommitOptions } from '../items/group-commit.ts'
import { createLockedStore } from '../items/locked-store.ts'
import type { ItemStore } from '../items/store.ts'
import type { LockBackend } from '../lock/backend.ts'
import { createBreaker } from '../lock/breaker.ts'
import { withBreaker, withTelemetry } from '../lock/decorate.ts'
import type { FenceStore } from '../lock/fence-store.ts'
import { openFenceStore } from '../lock/fences/registry.ts'
import { createLocker, type Locker } from '../lock/locker.ts'
import { createLockMeasures } from '../lock/measure.ts'
import { openLockBackend } from '../lock/registry.ts'
import type { Clock } from '../std/clock.ts'
import { durationOf } from '../std/duration.ts'
import { Fault, type FaultCode } from '../std/fault.ts'
import type { Scope } from '../std/scope.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { createStartWait, type Open } from './start-wait.ts'
import { openConfiguredStore } from './store.ts'

/** Longest that a lock service may take to be there at start. */
const OPEN_MS = 10_000

/** Longest that the store may take: it has deadlines of its own below that, the longest for a migration. */
const STORE_MS = 120_000

export interface StoreDeps {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** Gets what has to be closed at the end, in reverse order. */
  readonly scope: Scope
  /** Ends the start. */
  readonly signal: AbortSignal
}

interface Opening extends StoreDeps {
  readonly open: Open
}

const isHttp = (config: Config): boolean => /^https?:/.test(config.storeUrl)

/** Throws Fault CONFIG_INVALID for a combination that could not keep the promise. */
export async function openItems(deps: StoreDeps): Promise<ItemStore> {
  const { config, scope } = deps
  const opening = { ...deps, open: createStartWait(deps, durationOf(config.startWait)) }
  const store = isHttp(config) ? await openLocked(opening) : await openArbitrating(opening)
  scope.defer(() => store[Symbol.asyncDispose]())
  return store
}

async function openArbitrating(deps: Opening): Promise<ItemStore> {
  const { config, metrics } = deps
  const onRetry = countRetries(metrics)
  const store = await deps.open({
    what: 'store',
    attemptMs: STORE_MS,
    late: 'STORE_UNAVAILABLE',
    attempt: () => openConfiguredStore(config, { onRetry }),
  })
  if (config.lockMode !== 'always') return store
  const unlocked = metrics.counter({
    name: 'ingot_unlocked_batches_total',
    help: 'Batches that were put without their locks, because the lock service did not serve',
    labels: ['reason'],
  })
  const onUnlocked = (reason: FaultCode): void => unlocked.add({ reason })
  return withClaims(store, await openLocker(deps), { waitMs: durationOf(config.lockWait), onUnlocked })
}

async function openLocked(deps: Opening): Promise<ItemStore> {
  const { config, clock } = deps
  if (config.lockMode === 'never') {
    throw new Fault(
      'CONFIG_INVALID',
      'INGOT_LOCK_MODE is "never", but an http store cannot refuse duplicates by itself; use auto',
    )
  }
  if (config.storeMapping === undefined) {
    throw new Fault(
      'CONFIG_INVALID',
      'INGOT_STORE_URL is an http store, and INGOT_STORE_MAPPING does not say how to call it',
    )
  }
  const { createHttpStore } = await import('../items/http/store.ts')
  const { parseMapping } = await import('../items/http/mapping.ts')
  const mapping = parseMapping(loadMapping(config.storeMapping))
  const policies = new Map(Object.entries(mapping.collections).map(([name, policy]) => [name, parsePolicy(policy)]))
  const plain = createHttpStore({ url: config.storeUrl, mapping })
  const options = { policies, waitMs: durationOf(config.lockWait), defaultPolicy: DEFAULT_POLICY }
  return createLockedStore({ plain, locker: await openLocker(deps), clock }, options)
}

async function openLocker(deps: Opening): Promise<Locker> {
  const { config, clock, metrics, scope } = deps
  if (config.lockUrl === undefined) {
    throw new Fault(
      'CONFIG_INVALID',
      'INGOT_LOCK_URL is missing: this store, or INGOT_LOCK_MODE=always, needs a lock service',
    )
  }
  const measures = createLockMeasures(metrics)
  const backend = withTelemetry(await openBackend(deps, config.lockUrl), measures, clock)
  const guarded = withBreaker(backend, createBreaker(), measures)
  scope.defer(() => guarded[Symbol.asyncDispose]())
  return createLocker(guarded, { clock, measures, ttlMs: durationOf(config.lockTtl) })
}

async function openBackend(deps: Opening, url: string): Promise<LockBackend> {
  const { clock, log, open } = deps
  const fences = await openFences(deps)
  const context = { clock, log, ...(fences === undefined ? {} : { fences }) }
  return open({
    what: 'lock service',
    attemptMs: OPEN_MS,
    late: 'LOCK_BACKEND_UNAVAILABLE',
    attempt: (signal) => openLockBackend(url, context, signal),
  })
}

async function openFences({ config, scope, open }: Opening): Promise<FenceStore | undefined> {
  const url = config.lockFences
  if (url === undefined) return undefined
  const fences = await open({
    what: 'store of fences',
    attemptMs: OPEN_MS,
    late: 'FENCE_STORE_UNAVAILABLE',
    attempt: (signal) => openFenceStore(url, signal),
  })
  scope.defer(() => fences[Symbol.asyncDispose]())
  return fences
}

/** Units go side by side where each waits for itself alone, and together where they can share a commit. */
export function createCommit(
  store: Pick<ItemStore, 'put' | 'capabilities'>,
  options: Omit<GroupCommitOptions, 'store'> & { readonly maxPendingItems: number },
): GroupCommit {
  return store.capabilities.arbitrates
    ? createGroupCommit({ ...options, store })
    : createDirectCommit({ ...options, store })
}

function countRetries(metrics: Metrics): (sqlstate: string) => void {
  const retries = metrics.counter({
    name: 'ingot_store_retries_total',
    help: 'Transactions that the store gave up (deadlock, serialization) and that were run again',
    labels: ['sqlstate'],
  })
  return (sqlstate) => retries.add({ sqlstate })
}
