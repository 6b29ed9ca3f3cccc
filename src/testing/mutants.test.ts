/** Tests that each mutant breaks its promise, and that `orMutant` applies only the active ones. */
import { expect, test, vi } from 'vitest'
import { DEFAULT_POLICY } from '../identity/policy.ts'
import type { CacheKey, Fact } from '../items/cache/cache.ts'
import type { CachedStoreDeps } from '../items/cache/read-through.ts'
import { item } from '../items/contract.ts'
import type { LockedStoreDeps } from '../items/exclusion/locked-store.ts'
import { storeCapabilities } from '../items/store.ts'
import { createMemoryStore } from '../items/stores/memory/store.ts'
import { createMemoryBackend } from '../lock/backends/memory/backend.ts'
import { createLocker } from '../lock/locker.ts'
import { systemClock } from '../std/clock.ts'
import { createFakeClock } from './clock.ts'
import { MUTANTS, type MutableParts } from './mutants.ts'

const collection = { name: 'things', policy: DEFAULT_POLICY }
const UNIT = { collection, items: [item(1)] }
const CREATED = [{ kind: 'stored', outcomes: [{ kind: 'created', firstSeenMs: 1 }] }]

type Mutant<Part extends keyof MutableParts> = (part: MutableParts[Part]) => MutableParts[Part]

function mutant<Part extends keyof MutableParts>(part: Part, name: string): Mutant<Part> {
  const found: Mutant<Part> | undefined = MUTANTS[part][name]
  if (found === undefined) throw new Error(`there is no mutant "${name}" of "${part}"`)
  return found
}

test('without the condition every part is unchanged', async () => {
  const { orMutant } = await import('../std/failpoint.ts')
  const part = {}
  expect(orMutant('group-commit', part)).toBe(part)
})

test('only the mutants that INGOT_FAILPOINTS names are applied', async () => {
  vi.stubEnv('INGOT_FAILPOINTS', 'lock/ignore-fence')
  vi.resetModules()
  const { orMutant } = await import('./failpoint.ts')
  const { deps } = external()
  expect(orMutant('locked-store', deps).external.fences).toBe(false)
  const store = createMemoryStore()
  expect(orMutant('sqlite-store', store)).toBe(store)
  vi.unstubAllEnvs()
})

test('the group commit responds although the store never commits', async () => {
  const never = { capabilities: storeCapabilities({}), put: () => new Promise<never>(() => {}) }
  const { store } = mutant('group-commit', 'commit/answer-before-commit')({ store: never, clock: createFakeClock() })
  expect(await store.put([UNIT], 1)).toEqual(CREATED)
})

test('the embedded store responds before it commits', async () => {
  const inner = createMemoryStore()
  const puts: unknown[] = []
  const put = async (...args: Parameters<typeof inner.put>) => {
    puts.push(args)
    return inner.put(...args)
  }
  const store = mutant('sqlite-store', 'sqlite/answer-before-commit')({ ...inner, put })
  expect(await store.put([UNIT], 1)).toEqual(CREATED)
  expect(puts).toEqual([])
  await vi.waitFor(() => expect(puts).toHaveLength(1))
})

const LEASE = { epoch: 'now', deletes: 5, position: 9n, requestedMs: 0 }
const OLD: Fact = { epoch: 'old', deletes: 4, position: 99n, firstSeenMs: 1 }

function cached() {
  const events: string[] = []
  const deps: CachedStoreDeps = {
    store: {
      capabilities: storeCapabilities({}),
      async put() {
        events.push('commit')
        return []
      },
    },
    cache: {
      read: async (keys: readonly CacheKey[]) => keys.map(() => OLD),
      write: async () => true,
      raise: async () => undefined,
    },
    leases: { current: () => LEASE, recorded: () => LEASE, renewed: async () => LEASE },
    writes: { add() {}, write: async () => void events.push('cache'), [Symbol.dispose]() {} },
    measures: {} as CachedStoreDeps['measures'],
  }
  return { deps, events }
}

test('the cache is written before the commit', async () => {
  const { deps, events } = cached()
  await mutant('cached-store', 'cache/write-before-commit')(deps).store.put([UNIT], 1)
  expect(events).toEqual(['cache', 'commit'])
})

test.each([
  ['cache/ignore-epoch', { ...OLD, epoch: 'now', position: 9n }],
  ['cache/ignore-deletes', { ...OLD, deletes: 5 }],
] as const)('%s makes an old fact match the lease', async (name, fact) => {
  const { cache } = mutant('cached-store', name)(cached().deps)
  expect(await cache.read([{ collection: 'things', id: item(1).id }])).toEqual([fact])
})

function external(save: () => Promise<void> = async () => {}) {
  const calls: unknown[] = []
  const clock = systemClock
  const deps: LockedStoreDeps = {
    clock,
    locker: createLocker(createMemoryBackend({ clock }), { ttlMs: 1_000, clock }),
    external: {
      fences: true,
      async find(_, { fence }) {
        calls.push({ find: fence })
        return { kind: 'absent' }
      },
      async save(_, { fence }, firstSeenMs) {
        calls.push({ save: fence })
        await save()
        return { kind: 'saved', firstSeenMs }
      },
      check: async () => {},
      [Symbol.asyncDispose]: async () => {},
    },
  }
  return { deps, calls }
}

const under = { collection, fence: 7n, signal: new AbortController().signal }

test('without the lock two callers hold one key', async () => {
  const { locker } = mutant('locked-store', 'lock/none')(external().deps)
  await using first = await locker.acquire('key', { waitMs: 50 })
  await using second = await locker.acquire('key', { waitMs: 50 })
  expect([first.isHeld(), second.isHeld()]).toEqual([true, true])
  await locker[Symbol.asyncDispose]()
})

test('only the save gets the fence', async () => {
  const { deps, calls } = external()
  const { external: plain } = mutant('locked-store', 'lock/fence-only-save')(deps)
  await plain.find(item(1), under)
  await plain.save(item(1), under, 1)
  expect(calls).toEqual([{ find: undefined }, { save: 7n }])
})

test('a save of unknown outcome is repeated', async () => {
  let saves = 0
  const { deps, calls } = external(async () => {
    if (++saves === 1) throw new Error('timed out')
  })
  await mutant('locked-store', 'lock/time-out-is-failure')(deps).external.save(item(1), under, 1)
  expect(calls).toHaveLength(2)
})

test('the locked store responds although the save never ends', async () => {
  const { deps } = external(() => new Promise(() => {}))
  const { external: plain } = mutant('locked-store', 'lock/answer-before-save')(deps)
  expect(await plain.save(item(1), under, 1)).toEqual({ kind: 'saved', firstSeenMs: 1 })
})
