/** Describes the state of the service. */
import type { Config } from '../config/schema.ts'
import { IngotError, toIngotError } from '../errors/error.ts'
import { type ReplicaStatus, shownLocks } from '../http/replica-status.ts'
import type { GroupCommit } from '../items/pipeline/group-commit.ts'
import { isEmbeddedStore, isExternalStore } from '../items/registry.ts'
import { isVersioned, type ServiceStore } from '../items/store.ts'
import { abortable } from '../std/abort.ts'
import type { Clock } from '../std/clock.ts'
import { createDeadline } from '../std/deadline.ts'
import { defined } from '../std/defined.ts'
import type { ServiceWatch } from './watch.ts'

export interface StatusDeps {
  readonly config: Config
  readonly version: string
  readonly clock: Clock
  readonly store: ServiceStore
  readonly commit: GroupCommit
  readonly watch: ServiceWatch
}

/** Deadline for the questions to the store, in milliseconds. */
const STORE_MS = 2_000

/** Returns the function that describes the state now. It never rejects. */
export function createStatus(deps: StatusDeps): () => Promise<ReplicaStatus> {
  const { config, version, clock, commit, watch } = deps
  const fixed = { version, started: new Date(clock.wallMs()).toISOString() }
  return async () => ({
    ...fixed,
    store: await storeStatus(deps),
    pending: {
      items: commit.pendingItems(),
      maxItems: config.maxPendingItems,
      bytes: commit.pendingBytes(),
      maxBytes: config.maxPendingBytes,
    },
    breakers: Object.fromEntries(Array.from(watch.breakers, ([name, { state }]) => [name, state])),
    ...(watch.locker === undefined ? {} : { locks: shownLocks(watch.locker.observe()) }),
    cache: { shared: config.cacheUrl !== undefined, recentItems: config.recentItems },
  })
}

const timeoutError = (): IngotError => new IngotError('STORE_UNAVAILABLE', 'the store does not respond')

async function storeStatus({ config, clock, store, watch }: StatusDeps): Promise<ReplicaStatus['store']> {
  const kind = storeKind(config)
  using deadline = createDeadline({ clock, ms: STORE_MS, timeoutError })
  try {
    const [epoch] = await abortable(Promise.all([epochOf(store), store.check()]), deadline.signal)
    watch.sawStore(undefined)
    if (epoch !== undefined) watch.sawEpoch(epoch)
    return { kind, available: true, ...defined({ epoch, pool: watch.pool() }) }
  } catch (thrown) {
    watch.sawStore(toIngotError(thrown).code)
    return { kind, available: false, ...defined({ pool: watch.pool() }) }
  }
}

/** The epoch belongs to the store, so any collection works. */
async function epochOf(store: ServiceStore): Promise<string | undefined> {
  return isVersioned(store) ? (await store.version('')).epoch : undefined
}

function storeKind({ storeUrl }: Config): string {
  if (isEmbeddedStore(storeUrl)) return 'sqlite'
  return isExternalStore(storeUrl) ? 'http' : (/^([a-z]+):/.exec(storeUrl)?.[1] ?? 'unknown')
}
