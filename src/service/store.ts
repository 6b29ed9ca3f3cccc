/** Creates the service's store from its configuration: alone, behind locks, or behind batch locks. */
import { readCertificates } from '../config/file.ts'
import { loadMapping } from '../config/mapping.ts'
import type { Config } from '../config/schema.ts'
import { IngotError } from '../errors/error.ts'
import { DEFAULT_POLICY, type IdentityPolicy, parsePolicy } from '../identity/policy.ts'
import { withBatchLocks } from '../items/exclusion/batch-locks.ts'
import type { ExternalStore } from '../items/exclusion/external-store.ts'
import { createLockedStore } from '../items/exclusion/locked-store.ts'
import { createStoreMeasures, EXTERNAL_CALLS, STORE_CALLS, withStoreMeasures } from '../items/measured-store.ts'
import type { ServiceStore } from '../items/store.ts'
import type { StorePool } from '../items/store-registration.ts'
import { usesTls } from '../items/stores/external-http/registration.ts'
import { durationOf } from '../std/duration.ts'
import { isHttpStore, openConfiguredStore } from './configured-store.ts'
import type { ServiceDeps } from './deps.ts'
import { openServiceLocker } from './locker.ts'
import { countRetries, countUnlocked, measurePool } from './store-metrics.ts'

/**
 * Deadline for opening the store, in milliseconds. The store's own deadlines are shorter; the longest is for a
 * migration.
 */
const OPEN_MS = 120_000

/**
 * Opens the store. Rejects with IngotError CONFIG_INVALID for a combination that cannot ensure uniqueness, and with the
 * errors of the store and the lock service.
 */
export async function openServiceStore(deps: ServiceDeps): Promise<ServiceStore> {
  refuseUnusedAuthorities(deps.config)
  const store = isHttpStore(deps.config) ? await openLocked(deps) : await openUnique(deps)
  deps.scope.defer(() => store[Symbol.asyncDispose]())
  return store
}

/** Refuses INGOT_STORE_CA for a store without TLS, because its user expects a certificate check. */
function refuseUnusedAuthorities({ storeUrl, storeCa }: Config): void {
  if (storeCa === undefined || usesTls(storeUrl)) return
  throw new IngotError(
    'CONFIG_INVALID',
    'INGOT_STORE_CA is set, and INGOT_STORE_URL is not https: no certificate is checked',
  )
}

async function openUnique(deps: ServiceDeps): Promise<ServiceStore> {
  const { config, metrics } = deps
  // opens the locks first, because the store would have to be closed if they fail
  const locker = config.lockMode === 'always' ? (await openServiceLocker(deps)).locker : undefined
  const onPool = (read: () => StorePool): void => {
    measurePool(metrics, read)
    deps.watch.watchPool(read)
  }
  const watch = { onRetry: countRetries(metrics), onPool }
  const opened = await deps.open({
    what: 'store',
    attemptMs: OPEN_MS,
    late: 'STORE_UNAVAILABLE',
    attempt: () => openConfiguredStore(config, watch),
  })
  const store = measuredStore(deps, opened)
  if (locker === undefined) return store
  return withBatchLocks(store, locker, { waitMs: durationOf(config.lockWait), onUnlocked: countUnlocked(metrics) })
}

/** Returns the store with its calls measured. */
export function measuredStore<S extends ServiceStore>(
  { clock, metrics }: Pick<ServiceDeps, 'clock' | 'metrics'>,
  store: S,
): S {
  return withStoreMeasures(store, STORE_CALLS, {
    measures: createStoreMeasures(metrics, STORE_CALLS),
    clock,
    span: 'ingot.store',
  })
}

async function openLocked(deps: ServiceDeps): Promise<ServiceStore> {
  const { config, clock, metrics } = deps
  if (config.lockMode === 'never') {
    throw new IngotError(
      'CONFIG_INVALID',
      'INGOT_LOCK_MODE is "never", but an http store cannot refuse duplicates by itself; use auto',
    )
  }
  const { external: plain, policies } = await createExternal(config)
  const options = { policies, waitMs: durationOf(config.lockWait), defaultPolicy: DEFAULT_POLICY }
  const measures = createStoreMeasures(metrics, EXTERNAL_CALLS)
  const external = withStoreMeasures(plain, EXTERNAL_CALLS, { measures, clock, span: 'ingot.forward' })
  const { locker, staleWrite } = await openServiceLocker(deps)
  return createLockedStore({ external, locker, clock, onStale: () => staleWrite('http') }, options)
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
