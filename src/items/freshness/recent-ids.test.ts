import { expect, test } from 'vitest'
import { silentLog } from '../../telemetry/log.ts'
import { createFakeClock } from '../../testing/clock.ts'
import type { StoreVersion } from '../store-version.ts'
import { createLeasedItems, createRecentItems } from './recent-ids.ts'
import { createVersionLeases } from './version-lease.ts'

/** A store version that the test changes, and a replica with a lease on it. */
function setUp() {
  const clock = createFakeClock()
  const version = { epoch: 'one', position: 10n, deletes: 0 }
  const asked: number[] = []
  let away = false
  const store = {
    async version(): Promise<StoreVersion> {
      asked.push(clock.monotonicMs())
      if (away) throw new Error('the store is unavailable')
      return { ...version }
    },
    async beginEpoch(): Promise<string> {
      version.epoch += '+'
      return version.epoch
    },
  }
  const items = createLeasedItems(100, createVersionLeases({ store, clock, log: silentLog }), clock)
  /** Puts an item as a replica does: stamp, commit, remember. */
  async function put(id: string): Promise<void> {
    items.stamp('c')
    await clock.advance(1)
    const stamp = items.stamp('c')
    version.position++
    await clock.advance(1)
    if (stamp !== undefined) items.remember(stamp, id, 7)
  }
  /** Polls until the lease has been renewed after the preceding changes. */
  async function settle(): Promise<void> {
    await clock.advance(1_100)
    items.stamp('c')
    await clock.advance(1)
  }
  return { clock, version, items, put, settle, asked, goAway: () => (away = true) }
}

test('reports an item as stored after a lease that was requested after its commit', async () => {
  const { items, put, settle } = setUp()
  await put('x')
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
  await settle()
  expect(items.firstSeenMs('c', 'x')).toBe(7)
  expect(items.firstSeenMs('other', 'x')).toBeUndefined()
})

test('stops reporting an item at most two seconds after another replica deleted it', async () => {
  const { items, put, settle, version, clock } = setUp()
  await put('x')
  await settle()
  version.deletes++
  await clock.advance(2_000)
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
  await clock.advance(1)
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
})

test('completes a deletion only after every earlier lease has expired', async () => {
  const { items, put, settle, version, clock } = setUp()
  await put('x')
  await settle()
  // the deletion of another replica, right after the last renewal
  const elsewhere = setUp()
  version.deletes++
  let answered = false
  const deletion = elsewhere.items.invalidate('c', 'x').then(() => (answered = true))
  for (let ms = 0; ms < 2_500; ms += 50) {
    await Promise.all([clock.advance(50), elsewhere.clock.advance(50)])
    if (answered) expect(items.firstSeenMs('c', 'x')).toBeUndefined()
  }
  await deletion
})

test('reports no items while the store is unavailable for longer than a lease', async () => {
  const { items, put, settle, clock, goAway } = setUp()
  await put('x')
  await settle()
  goAway()
  expect(items.firstSeenMs('c', 'x')).toBe(7)
  await clock.advance(2_000)
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
})

test('reports no items of another epoch', async () => {
  const { items, put, settle, version, clock } = setUp()
  await put('x')
  await settle()
  version.epoch = 'two'
  await clock.advance(2_000)
  await settle()
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
})

test('begins a new epoch when the store went back in time under the same epoch', async () => {
  const { items, put, settle, version, clock } = setUp()
  await put('x')
  await settle()
  version.position = 3n
  await clock.advance(2_000)
  await settle()
  await settle()
  expect(version.epoch).toBe('one+')
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
})

test('does not report an item that was committed after the lease was requested', async () => {
  const { items, put, settle, asked } = setUp()
  await settle()
  await put('x')
  const before = asked.length
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
  expect(asked.length).toBeLessThanOrEqual(before + 1)
})

test('sends no requests for a collection that is not used', async () => {
  const { clock, asked, put } = setUp()
  await put('x')
  const before = asked.length
  await clock.advance(60_000)
  expect(asked).toHaveLength(before)
})

test('with a single writer, an item is known and forgotten at once', async () => {
  const items = createRecentItems(2)
  const stamp = items.stamp('c')
  if (stamp !== undefined) items.remember(stamp, 'x', 7)
  expect(items.firstSeenMs('c', 'x')).toBe(7)
  await items.invalidate('c', 'x')
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
})

test('reports no item of a deleted collection, also if its put ends after the deletion', async () => {
  const items = createRecentItems(100)
  const stamp = (collection: string) => items.stamp(collection) ?? { collection, epoch: '', deletes: -1 }
  const [kept, early] = [stamp('kept'), stamp('gone')]
  items.remember(kept, 'a', 1)
  items.remember(early, 'b', 2)
  expect([items.firstSeenMs('kept', 'a'), items.firstSeenMs('gone', 'b')]).toEqual([1, 2])
  await items.invalidateCollection('gone')
  items.remember(early, 'c', 3)
  expect(['b', 'c'].map((id) => items.firstSeenMs('gone', id))).toEqual([undefined, undefined])
  expect(items.firstSeenMs('kept', 'a')).toBe(1)
  items.remember(stamp('gone'), 'b', 4)
  expect(items.firstSeenMs('gone', 'b')).toBe(4)
})

test('reports no item of a deleted collection after more deletions than it remembers', async () => {
  const items = createRecentItems(3)
  const stamp = items.stamp('first')
  for (const name of ['first', 'second', 'third', 'fourth', 'fifth']) await items.invalidateCollection(name)
  if (stamp !== undefined) items.remember(stamp, 'a', 1)
  expect(items.firstSeenMs('first', 'a')).toBeUndefined()
  const later = items.stamp('first')
  if (later !== undefined) items.remember(later, 'a', 2)
  expect(items.firstSeenMs('first', 'a')).toBe(2)
})

test('a deletion of a collection completes after every lease on the earlier count has ended', async () => {
  const { items, put, settle, version, clock } = setUp()
  await put('x')
  await settle()
  version.deletes++
  const state = { done: false }
  const deletion = items.invalidateCollection('c').then(() => (state.done = true))
  for (let passed = 0; passed < 3_000; passed += 100) {
    await clock.advance(100)
    if (state.done) expect(items.firstSeenMs('c', 'x')).toBeUndefined()
  }
  await deletion
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
})
