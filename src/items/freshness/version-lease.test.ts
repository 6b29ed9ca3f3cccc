import { expect, test } from 'vitest'
import { silentLog } from '../../telemetry/log.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { createFakeCache } from '../../testing/item-cache.ts'
import type { StoreVersion } from '../store-version.ts'
import { createVersionLeases } from './version-lease.ts'

/** A store version that the test changes, and replicas that lease it and record it in one cache. */
function setUp() {
  const clock = createFakeClock()
  const cache = createFakeCache()
  const version = { epoch: 'one', position: 10n, deletes: 0 }
  const asked: number[] = []
  /** Responses that the store returns instead, once each. */
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
  const replica = () => createVersionLeases({ store, clock, log: silentLog, highWaterMarks: notes })
  return { clock, cache, version, asked, slips, store, replica }
}

test('a lease is recorded once its position is stored outside', async () => {
  const { replica, cache, clock, version } = setUp()
  cache.state = 'away'
  const leases = replica()
  expect(await leases.renewed('c')).toBeUndefined()
  expect(leases.current('c')).toMatchObject(version)
  expect(leases.recorded('c')).toBeUndefined()
  cache.state = 'there'
  expect(await leases.renewed('c')).toMatchObject({ ...version, requestedMs: clock.monotonicMs() })
  expect(cache.notes.get('one')).toBe(10n)
  expect(leases.recorded('c')).toMatchObject(version)
  await clock.advance(2_000)
  expect(leases.recorded('c')).toBeUndefined()
})

test('without storage outside, no lease is ever recorded', async () => {
  const { store, clock } = setUp()
  const leases = createVersionLeases({ store, clock, log: silentLog })
  expect(await leases.renewed('c')).toBeUndefined()
  expect(leases.current('c')).toBeDefined()
  expect(leases.recorded('c')).toBeUndefined()
})

test('a store that went back before all replicas started is detected by the recorded position', async () => {
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

test('a position that another replica recorded after the request does not count: the store is asked again', async () => {
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

test('responses of two collections in reverse order begin no epoch', async () => {
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

test('a recorded lease ends when the replica learns of another version, also while nothing can be recorded', async () => {
  const { replica, version, cache } = setUp()
  const leases = replica()
  await leases.renewed('c')
  cache.state = 'away'
  await leases.renewed('c')
  expect(leases.recorded('c')).toBeDefined()
  version.deletes++
  await leases.renewed('c')
  expect(leases.recorded('c')).toBeUndefined()
})

test('a renewed lease was requested after the call, also when a request was already running', async () => {
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
  expect(await renewed).toMatchObject({ position: 30n, requestedMs: clock.monotonicMs() })
})
