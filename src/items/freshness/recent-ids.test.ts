import { expect, test } from 'vitest'
import { silentLog } from '../../telemetry/log.ts'
import { createFakeClock } from '../../testing/clock.ts'
import type { StoreVersion } from '../store-version.ts'
import { createLeasedItems, createRecentItems } from './recent-ids.ts'
import { createVersionLeases } from './version-lease.ts'

/** A store version that the test can change, and a replica that leases it. */
function setUp() {
  const clock = createFakeClock()
  const version = { epoch: 'one', position: 10n, deletes: 0 }
  const asked: number[] = []
  let away = false
  const store = {
    async version(): Promise<StoreVersion> {
      asked.push(clock.monotonicMs())
      if (away) throw new Error('the store is away')
      return { ...version }
    },
    async beginEpoch(): Promise<string> {
      version.epoch += '+'
      return version.epoch
    },
  }
  const items = createLeasedItems(100, createVersionLeases({ store, clock, log: silentLog }), clock)
  /** Puts an item as a replica does: mark, commit, remember. */
  async function put(id: string): Promise<void> {
    items.mark('c')
    await clock.advance(1)
    const mark = items.mark('c')
    version.position++
    await clock.advance(1)
    if (mark !== undefined) items.remember(mark, id, 7)
  }
  /** Asks until the lease has been renewed after whatever came before. */
  async function settle(): Promise<void> {
    await clock.advance(1_100)
    items.mark('c')
    await clock.advance(1)
  }
  return { clock, version, items, put, settle, asked, goAway: () => (away = true) }
}

test('believes in an item once a lease was asked for after its commit', async () => {
  const { items, put, settle } = setUp()
  await put('x')
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
  await settle()
  expect(items.firstSeenMs('c', 'x')).toBe(7)
  expect(items.firstSeenMs('other', 'x')).toBeUndefined()
})

test('no longer believes in it after a deletion elsewhere, two seconds later at the latest', async () => {
  const { items, put, settle, version, clock } = setUp()
  await put('x')
  await settle()
  version.deletes++
  await clock.advance(2_000)
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
  await clock.advance(1)
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
})

test('answers a deletion only when every lease from before it has run out', async () => {
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

test('believes in nothing while the store is away for longer than a lease', async () => {
  const { items, put, settle, clock, goAway } = setUp()
  await put('x')
  await settle()
  goAway()
  expect(items.firstSeenMs('c', 'x')).toBe(7)
  await clock.advance(2_000)
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
})

test('believes in nothing from another epoch', async () => {
  const { items, put, settle, version, clock } = setUp()
  await put('x')
  await settle()
  version.epoch = 'two'
  await clock.advance(2_000)
  await settle()
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
})

test('begins a new epoch when the store went back in time without saying so', async () => {
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

test('does not believe in what was committed after the lease was asked for', async () => {
  const { items, put, settle, asked } = setUp()
  await settle()
  await put('x')
  const before = asked.length
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
  expect(asked.length).toBeLessThanOrEqual(before + 1)
})

test('costs nothing for a collection that nobody asks for', async () => {
  const { clock, asked, put } = setUp()
  await put('x')
  const before = asked.length
  await clock.advance(60_000)
  expect(asked).toHaveLength(before)
})

test('of a store of its own it believes at once, and forgets at once', async () => {
  const items = createRecentItems(2)
  const mark = items.mark('c')
  if (mark !== undefined) items.remember(mark, 'x', 7)
  expect(items.firstSeenMs('c', 'x')).toBe(7)
  await items.invalidate('c', 'x')
  expect(items.firstSeenMs('c', 'x')).toBeUndefined()
})
