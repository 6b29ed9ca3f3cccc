import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import { DEFAULT_POLICY } from '../../identity/policy.ts'
import { createMemoryBackend } from '../../lock/backends/memory/backend.ts'
import { createLocker, type Locker } from '../../lock/locker.ts'
import { createFakeClock, type FakeClock, whileTimePasses } from '../../testing/clock.ts'
import { item } from '../contract.ts'
import { hasMethod } from '../store.ts'
import type { ExternalStore } from './external-store.ts'
import { createLockedStore } from './locked-store.ts'

const collection = { name: 'things', policy: DEFAULT_POLICY }

/** A backend without any check: it finds, waits and saves. Counts every save. */
function naiveBackend() {
  let underWay = 0
  let most = 0
  const wait = async (): Promise<void> => {
    most = Math.max(most, ++underWay)
    await turn()
    underWay--
  }
  const saves: { id: string; fence: bigint | undefined }[] = []
  const plain: ExternalStore = {
    fences: true,
    async find(one) {
      const known = saves.some((save) => save.id === one.id)
      await wait()
      return known ? { kind: 'found', firstSeenMs: 1 } : { kind: 'absent' }
    },
    async save(one, under) {
      await wait()
      saves.push({ id: one.id, fence: under.fence })
      return { kind: 'saved', firstSeenMs: 1 }
    },
    get: async () => undefined,
    check: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
  return { plain, saves, most: () => most }
}

/** Two replicas in front of one backend, with one lock service between them. */
function replicas(plain: ExternalStore, waitMs = 5_000, clock = createFakeClock()) {
  const backend = createMemoryBackend({ clock })
  const options = { policies: new Map(), waitMs, defaultPolicy: DEFAULT_POLICY }
  return [1, 2].map(() => {
    const locker = createLocker(backend, { ttlMs: 1_000, clock })
    return createLockedStore({ external: plain, locker, clock }, options)
  })
}

const kinds = (outcomes: readonly unknown[]): unknown[] =>
  outcomes.flatMap((one) => (one as { outcomes: { kind: string }[] }).outcomes.map((outcome) => outcome.kind))

test('saves an item once, however many replicas receive it at once', async () => {
  const { plain, saves } = naiveBackend()
  const clock = createFakeClock()
  const stores = replicas(plain, 5_000, clock)
  const puts = stores.flatMap((store) =>
    Array.from({ length: 10 }, () => store.put([{ collection, items: [item('hot')] }], 1)),
  )
  const all = await whileTimePasses(clock, Promise.all(puts))
  expect(saves).toHaveLength(1)
  expect(kinds(all.flat()).filter((kind) => kind === 'created')).toHaveLength(1)
  expect(kinds(all.flat()).filter((kind) => kind === 'duplicate')).toHaveLength(19)
})

test('without the lock, the same backend would save it twice', async () => {
  const { plain, saves } = naiveBackend()
  const under = { collection, fence: undefined, signal: new AbortController().signal }
  const one = item('hot')
  await Promise.all(
    [1, 2].map(async () => {
      if ((await plain.find(one, under)).kind === 'absent') await plain.save(one, under, 1)
    }),
  )
  expect(saves).toHaveLength(2)
})

test('processes different items concurrently', async () => {
  const { plain, saves, most } = naiveBackend()
  const [store] = replicas(plain)
  const items = Array.from({ length: 50 }, (_, n) => item(n))
  const outcomes = await store?.put([{ collection, items }], 1)
  expect(kinds(outcomes ?? [])).toHaveLength(50)
  expect(saves).toHaveLength(50)
  expect(most()).toBeGreaterThan(40)
})

test('acquires the lock again after a later holder', async () => {
  const { plain, saves } = naiveBackend()
  let looks = 0
  const shy: ExternalStore = {
    ...plain,
    find: async (one, under) => (++looks === 1 ? { kind: 'stale' } : plain.find(one, under)),
  }
  const [store] = replicas(shy)
  expect(kinds((await store?.put([{ collection, items: [item(1)] }], 1)) ?? [])).toEqual(['created'])
  expect(looks).toBe(2)
  expect(saves[0]?.fence).toBeGreaterThan(1n)
})

test('reports that another holder takes too long', async () => {
  const { plain } = naiveBackend()
  const { promise: slow, resolve: finish } = Promise.withResolvers<void>()
  const clock = createFakeClock()
  const stores = replicas({ ...plain, find: (one, under) => slow.then(() => plain.find(one, under)) }, 20, clock)
  const first = stores[0]?.put([{ collection, items: [item(1)] }], 1)
  await turn()
  const second = expect(stores[1]?.put([{ collection, items: [item(1)] }], 1)).rejects.toMatchObject({
    code: 'IN_FLIGHT',
  })
  await clock.advance(25)
  await second
  finish()
  expect(kinds((await first) ?? [])).toEqual(['created'])
})

/** A locker whose breaker is open until the test closes it. */
function keptAway(clock: FakeClock) {
  const locker = createLocker(createMemoryBackend({ clock }), { ttlMs: 1_000, clock })
  let open = true
  const away: Locker = new Proxy(locker, {
    get(of, name): unknown {
      if (name !== 'acquire') return Reflect.get(of, name)
      return open ? () => Promise.reject(new IngotError('LOCK_BREAKER_OPEN', 'left alone')) : of.acquire.bind(of)
    },
  })
  return { locker: away, letThrough: () => void (open = false) }
}

test('a short outage of the lock service fails no item', async () => {
  const clock = createFakeClock()
  const { locker, letThrough } = keptAway(clock)
  const options = { policies: new Map(), waitMs: 10_000, defaultPolicy: DEFAULT_POLICY }
  const store = createLockedStore({ external: naiveBackend().plain, locker, clock }, options)
  const put = store.put([{ collection, items: [item(1)] }], 1)
  await clock.advance(2_500)
  letThrough()
  await clock.advance(500)
  expect(kinds(await put)).toEqual(['created'])
})

test('a long outage of the lock service is reported as an outage', async () => {
  const clock = createFakeClock()
  const { locker } = keptAway(clock)
  const options = { policies: new Map(), waitMs: 10_000, defaultPolicy: DEFAULT_POLICY }
  const store = createLockedStore({ external: naiveBackend().plain, locker, clock }, options)
  const put = expect(store.put([{ collection, items: [item(1)] }], 1)).rejects.toMatchObject({
    code: 'LOCK_BREAKER_OPEN',
  })
  await clock.advance(6_000)
  await put
})

test('is ready as long as its store is, regardless of the lock service', async () => {
  const clock = createFakeClock()
  const { plain } = naiveBackend()
  let away = false
  const store = createLockedStore(
    {
      external: {
        ...plain,
        check: async () => (away ? Promise.reject(new IngotError('STORE_UNAVAILABLE', 'away')) : undefined),
      },
      locker: keptAway(clock).locker,
      clock,
    },
    { policies: new Map(), waitMs: 10_000, defaultPolicy: DEFAULT_POLICY },
  )
  await store.check()
  away = true
  await expect(store.check()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
})

test('reports a failure only after every item was tried', async () => {
  const { plain, saves } = naiveBackend()
  const broken: ExternalStore = {
    ...plain,
    async save(one, under, nowMs) {
      if (one.id === item(2).id) throw new IngotError('STORE_UNAVAILABLE', 'no room')
      return plain.save(one, under, nowMs)
    },
  }
  const [store] = replicas(broken)
  const put = store?.put([{ collection, items: [item(1), item(2), item(3)] }], 1)
  await expect(put).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(saves).toHaveLength(2)
})

test('omits the methods that an external store cannot support', () => {
  const { get: _, ...plain } = naiveBackend().plain
  const [store] = replicas(plain)
  const methods = ['define', 'delete', 'list', 'get', 'version', 'beginEpoch'] as const
  expect(methods.filter((method) => store !== undefined && hasMethod(store, method))).toEqual([])
  const [readable] = replicas(naiveBackend().plain)
  expect(methods.filter((method) => readable !== undefined && hasMethod(readable, method))).toEqual(['get'])
})

test('finds an item without a fence, and saves nothing', async () => {
  const { plain, saves } = naiveBackend()
  const fences: unknown[] = []
  const watched: ExternalStore = {
    ...plain,
    find(one, under) {
      fences.push(under.fence)
      return plain.find(one, under)
    },
  }
  const [store] = replicas(watched)
  expect(await store?.find?.(collection, item(1))).toBeUndefined()
  expect(saves).toEqual([])
  await store?.put([{ collection, items: [item(1)] }], 0)
  expect(await store?.find?.(collection, item(1))).toEqual({ id: item(1).id, firstSeenMs: 1 })
  expect(saves).toHaveLength(1)
  expect([fences.at(0), fences.at(-1)]).toEqual([undefined, undefined])
})

test('lists the collections of its configuration, without numbers of items', async () => {
  const locker = createLocker(createMemoryBackend({ clock: createFakeClock() }))
  const policies = new Map([
    ['b', DEFAULT_POLICY],
    ['a', DEFAULT_POLICY],
  ])
  const options = { policies, waitMs: 1, defaultPolicy: DEFAULT_POLICY }
  const { plain } = naiveBackend()
  const store = createLockedStore({ external: plain, locker, clock: createFakeClock() }, options)
  expect(await store.collections?.({ limit: 1 })).toEqual({
    collections: [{ name: 'a', policy: DEFAULT_POLICY }],
    next: 'a',
  })
})
