/** The service's store, put together from its configuration: by itself, behind locks, or behind claims. */
import { readCertificates } from '../config/file.ts'
import { loadMapping } from '../config/mapping.ts'
import type { Config } from '../config/schema.ts'
import { type ErrorCode, IngotError } from '../errors/error.ts'
import { DEFAULT_POLICY, type IdentityPolicy, parsePolicy } from '../identity/policy.ts'
import { withBatchLocks } from '../items/exclusion/batch-locks.ts'
import type { ExternalStore } from '../items/exclusion/external-store.ts'
import { createLockedStore } from '../items/exclusion/locked-store.ts'
import type { ServiceStore } from '../items/store.ts'
import { usesTls } from '../items/stores/external-http/registration.ts'
import { durationOf } from '../std/duration.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { isHttpStore, openConfiguredStore } from './configured-store.ts'
import type { ServiceDeps } from './deps.ts'
import { openServiceLocker } from './locker.ts'

/** Longest that the store may take: it has deadlines of its own below that, the longest for a migration. */
const OPEN_MS = 120_000

/** Throws IngotError CONFIG_INVALID for a combination that could not keep the promise, and what a store or lock service throws. */
export async function openServiceStore(deps: ServiceDeps): Promise<ServiceStore> {
  refuseIdleAuthorities(deps.config)
  const store = isHttpStore(deps.config) ? await openLocked(deps) : await openArbitrating(deps)
  deps.scope.defer(() => store[Symbol.asyncDispose]())
  return store
}

/** Whoever names authorities believes that a certificate is checked. */
function refuseIdleAuthorities({ storeUrl, storeCa }: Config): void {
  if (storeCa === undefined || usesTls(storeUrl)) return
  throw new IngotError(
    'CONFIG_INVALID',
    'INGOT_STORE_CA is set, and INGOT_STORE_URL is not https: no certificate is checked',
  )
}

async function openArbitrating(deps: ServiceDeps): Promise<ServiceStore> {
  const { config, metrics } = deps
  // before the store, which would have to be closed again
  const locker = config.lockMode === 'always' ? await openServiceLocker(deps) : undefined
  const onRetry = countRetries(metrics)
  const store = await deps.open({
    what: 'store',
    attemptMs: OPEN_MS,
    late: 'STORE_UNAVAILABLE',
    attempt: () => openConfiguredStore(config, { onRetry }),
  })
  if (locker === undefined) return store
  return withBatchLocks(store, locker, { waitMs: durationOf(config.lockWait), onUnlocked: countUnlocked(metrics) })
}

async function openLocked(deps: ServiceDeps): Promise<ServiceStore> {
  const { config, clock } = deps
  if (config.lockMode === 'never') {
    throw new IngotError(
      'CONFIG_INVALID',
      'INGOT_LOCK_MODE is "never", but an http store cannot refuse duplicates by itself; use auto',
    )
  }
  const { external: plain, policies } = await createExternal(config)
  const options = { policies, waitMs: durationOf(config.lockWait), defaultPolicy: DEFAULT_POLICY }
  return createLockedStore({ external: plain, locker: await openServiceLocker(deps), clock }, options)
}

interface External {
  readonly external: ExternalStore
  readonly policies: ReadonlyMap<string, IdentityPolicy>
}

async function createExternal({ storeUrl: url, storeMapping, storeCa }: Config): Promise<External> {
  if (storeMapping === undefined) {
    throw new IngotError(
      'CONFIG_INVALID',
      'INGOT_STORE_URL is an http store, and INGOT_STORE_MAPPING does not say how to call it',
    )
  }
  const { createHttpStore } = await import('../items/stores/external-http/store.ts')
  const { parseMapping } = await import('../items/stores/external-http/mapping.ts')
  const mapping = parseMapping(loadMapping(storeMapping))
  const policies = Object.entries(mapping.collections).map(([name, policy]) => [name, parsePolicy(policy)] as const)
  const trust = storeCa === undefined ? {} : { ca: readCertificates('INGOT_STORE_CA', storeCa) }
  return { external: createHttpStore({ url, mapping, ...trust }), policies: new Map(policies) }
}

function countRetries(metrics: Metrics): (sqlstate: string) => void {
  const retries = metrics.counter({
    name: 'ingot_store_retries_total',
    help: 'Transactions that the store gave up (deadlock, serialization) and that were run again',
    labels: ['sqlstate'],
  })
  return (sqlstate) => retries.add({ sqlstate })
}

function countUnlocked(metrics: Metrics): (reason: ErrorCode) => void {
  const unlocked = metrics.counter({
    name: 'ingot_unlocked_batches_total',
    help: 'Batches that were put without their locks, because the lock service did not serve',
    labels: ['reason'],
  })
  return (reason) => unlocked.add({ reason })
}
