/**
 * Wrong algorithms, as decorators of the parts of the service. Each breaks one promise, and shows that a proof detects
 * it. `failpoint.ts` applies those that INGOT_FAILPOINTS names. This file imports only types, because the image of a
 * sabotaged build contains no other file.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CachedStoreDeps } from '../items/cache/read-through.ts'
import type { ExternalStore } from '../items/exclusion/external-store.ts'
import type { LockedStoreDeps } from '../items/exclusion/locked-store.ts'
import type { GroupCommitOptions } from '../items/pipeline/group-commit.ts'
import type { ItemStore, Unit, UnitOutcome } from '../items/store.ts'
import type { Locker } from '../lock/locker.ts'

/** Parts of the service that mutants replace, by the name in shipped code. */
export interface MutableParts {
  readonly 'cached-store': CachedStoreDeps
  readonly 'group-commit': GroupCommitOptions
  readonly 'locked-store': LockedStoreDeps
  readonly 'sqlite-store': ItemStore
}

type Mutants = {
  readonly [Part in keyof MutableParts]: Readonly<Record<string, (part: MutableParts[Part]) => MutableParts[Part]>>
}

/** Delay between the response and the commit of the embedded store, in milliseconds. */
const LATE_MS = 20

export const MUTANTS: Mutants = {
  'group-commit': {
    'commit/answer-before-commit': (options) => ({
      ...options,
      store: {
        capabilities: options.store.capabilities,
        async put(units, nowMs) {
          options.store.put(units, nowMs).catch(() => {})
          return allCreated(units, nowMs)
        },
      },
    }),
  },
  'sqlite-store': {
    'sqlite/answer-before-commit': (store) => ({
      ...store,
      async put(units, nowMs) {
        void sleep(LATE_MS).then(() => store.put(units, nowMs).catch(() => {}))
        return allCreated(units, nowMs)
      },
    }),
  },
  'cached-store': {
    'cache/write-before-commit': writeBeforeCommit,
    'cache/ignore-epoch': (deps) => withFacts(deps, ({ epoch, position }) => ({ epoch, position })),
    'cache/ignore-deletes': (deps) => withFacts(deps, ({ deletes }) => ({ deletes })),
  },
  'locked-store': {
    // a key that only one caller uses excludes no other caller
    'lock/none': (deps) => ({ ...deps, locker: withKey(deps.locker, (key) => `${key}/${randomUUID()}`) }),
    'lock/ignore-fence': (deps) => withPlain(deps, { fences: false }),
    'lock/fence-only-save': (deps) =>
      withPlain(deps, { find: (item, under) => deps.external.find(item, { ...under, fence: undefined }) }),
    'lock/time-out-is-failure': (deps) =>
      withPlain(deps, {
        save: (...args) => deps.external.save(...args).catch(() => deps.external.save(...args)),
      }),
    'lock/answer-before-save': (deps) =>
      withPlain(deps, {
        async save(item, under, nowMs) {
          deps.external.save(item, under, nowMs).catch(() => {})
          return { kind: 'saved', firstSeenMs: nowMs }
        },
      }),
  },
}

function allCreated(units: readonly Unit[], firstSeenMs: number): readonly UnitOutcome[] {
  const created = { kind: 'created', firstSeenMs } as const
  return units.map(({ items }) => ({ kind: 'stored', outcomes: items.map(() => created) }))
}

/** Writes items to the cache before the store has committed them. */
function writeBeforeCommit(deps: CachedStoreDeps): CachedStoreDeps {
  const { store, leases, writes } = deps
  async function write({ collection: { name }, items }: Unit, firstSeenMs: number): Promise<void> {
    const lease = leases.recorded(name)
    if (lease === undefined) return
    const stamp = { collection: name, epoch: lease.epoch, deletes: lease.deletes }
    const committed = items.map(({ id }) => ({ id, firstSeenMs }))
    await writes.write(stamp, committed, lease)
  }
  return {
    ...deps,
    store: {
      capabilities: store.capabilities,
      async put(units, nowMs) {
        for (const unit of units) await write(unit, nowMs)
        return store.put(units, nowMs)
      },
    },
  }
}

type Lease = NonNullable<ReturnType<CachedStoreDeps['leases']['recorded']>>

/** Makes every fact of the cache match the current lease in the given fields. */
function withFacts(deps: CachedStoreDeps, agreed: (lease: Lease) => Partial<Lease>): CachedStoreDeps {
  const { cache, leases } = deps
  return {
    ...deps,
    cache: {
      async read(keys) {
        const facts = await cache.read(keys)
        return facts?.map((fact, index) => {
          const lease = leases.recorded(keys[index]?.collection ?? '')
          return fact === undefined || lease === undefined ? fact : { ...fact, ...agreed(lease) }
        })
      },
      write: (entries) => cache.write(entries),
      raise: (now) => cache.raise(now),
    },
  }
}

function withPlain(deps: LockedStoreDeps, changes: Partial<ExternalStore>): LockedStoreDeps {
  const { external: plain } = deps
  return {
    ...deps,
    external: {
      fences: plain.fences,
      find: (item, under) => plain.find(item, under),
      save: (item, under, nowMs) => plain.save(item, under, nowMs),
      ...(plain.get === undefined ? {} : { get: plain.get }),
      check: () => plain.check(),
      [Symbol.asyncDispose]: () => plain[Symbol.asyncDispose](),
      ...changes,
    },
  }
}

function withKey(locker: Locker, changed: (key: string) => string): Locker {
  return new Proxy(locker, {
    get(target, name): unknown {
      if (name === 'acquire') {
        return (key: string, options?: Parameters<Locker['acquire']>[1]) => target.acquire(changed(key), options)
      }
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
