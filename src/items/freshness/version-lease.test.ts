import { expect, test } from 'vitest'
import { silentLog } from '../../telemetry/log.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { createFakeCache } from '../../testing/item-cache.ts'
import type { StoreVersion } from '../store-version.ts'
import { createVersionLeases } from './version-lease.ts'

/** A store version that the test can change; replicas that lease it and note it in one cache. */
function setUp() {
  const clock = createFakeClock()
  const cache = createFakeCache()
  const version = { epoch: 'one', position: 10n, deletes: 0 }
  const asked: number[] = []
  /** What the store answers instead, once. */
  const slips: (() => StoreVersion | Promise<StoreVersion>)[] = []
  const store = {
    async version(): Promise<StoreVersion> {
      asked.push(clock.monotonicMs())
      return (await slips.shift()?.()) ?? { ...version }
    },
    async beginEpoch(): Promise<string> {
      version.epoch += '+'
      return version.epoch
    },
  }
  const notes = { raise: (now: StoreVersion) => cache.note(now).catch(() => undefined) }
  const replica = () => createVersionLeases({ store, clock, log: silentLog, notes })
  return { clock, cache, version, asked, slips, store, replica }
}

test('a lease is noted once its position is known outside', async () => {
  const { replica, cache, clock, version } = setUp()
  cache.state = 'away'
  const leases = replica()
  expect(await leases.renewed('c')).toBeUndefined()
  expect(leases.current('c')).toMatchObject(version)
  expect(leases.noted('c')).toBeUndefined()
  cache.state = 'there'
  expect(await leases.renewed('c')).toMatchObject({ ...version, askedMs: clock.monotonicMs() })
  expect(cache.notes.get('one')).toBe(10n)
  expect(leases.noted('c')).toMatchObject(version)
  await clock.advance(2_000)
  expect(leases.noted('c')).toBeUndefined()
})

test('without a place outside no lease is ever noted', async () => {
  const { store, clock } = setUp()
  const leases = createVersionLeases({ store, clock, log: silentLog })
  expect(await leases.renewed('c')).toBeUndefined()
  expect(leases.current('c')).toBeDefined()
  expect(leases.noted('c')).toBeUndefined()
})

test('a store that went back while nobody of now was there is found out by what was noted outside', async () => {
  const { replica, version, clock } = setUp()
  await replica().renewed('c')
  version.position = 9n
  const later = replica()
  expect(await later.renewed('c')).toBeUndefined()
  expect(version.epoch).toBe('one+')
  expect(later.current('c')).toBeUndefined()
  await clock.advance(1)
  expect(await later.renewed('c')).toMatchObject({ epoch: 'one+', position: 9n })
})

test('what others noted after the question says nothing of the answer: it is asked again', async () => {
  const { replica, version, slips, asked } = setUp()
  const leases = replica()
  slips.push(async () => {
    const old = { ...version }
    // meanwhile
    version.position = 20n
    await replica().renewed('c')
    return old
  })
  expect(await leases.renewed('c')).toMatchObject({ epoch: 'one', position: 20n })
  expect(version.epoch).toBe('one')
  expect(asked).toHaveLength(3)
})

test('questions of two collections that are answered in the other order begin no epoch', async () => {
  const { replica, version, slips } = setUp()
  const leases = replica()
  const { promise: held, resolve } = Promise.withResolvers<void>()
  const old = { ...version }
  slips.push(() => held.then(() => old))
  const slow = leases.renewed('slow')
  await Promise.resolve()
  version.position = 20n
  await leases.renewed('quick')
  resolve()
  expect(await slow).toMatchObject({ position: 20n })
  expect(version.epoch).toBe('one')
})

test('a noted lease ends when the replica hears of another version, also while nothing can be noted', async () => {
  const { replica, version, cache } = setUp()
  const leases = replica()
  await leases.renewed('c')
  cache.state = 'away'
  await leases.renewed('c')
  expect(leases.noted('c')).toBeDefined()
  version.deletes++
  await leases.renewed('c')
  expect(leases.noted('c')).toBeUndefined()
})

test('a renewed lease was asked for after the call, also when a question was under way', async () => {
  const { replica, version, slips, clock } = setUp()
  const leases = replica()
  const { promise: held, resolve } = Promise.withResolvers<void>()
  const old = { ...version }
  slips.push(() => held.then(() => old))
  leases.current('c')
  await clock.advance(5)
  version.position = 30n
  const renewed = leases.renewed('c')
  await clock.advance(5)
  resolve()
  expect(await renewed).toMatchObject({ position: 30n, askedMs: clock.monotonicMs() })
})
