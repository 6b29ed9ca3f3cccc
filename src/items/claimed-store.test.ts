import { expect, test } from 'vitest'
import { DEFAULT_POLICY } from '../identity/policy.ts'
import { createLocker } from '../lock/locker.ts'
import { createMemoryBackend } from '../lock/memory/backend.ts'
import { createFakeClock, whileTimePasses } from '../testing/clock.ts'
import { createFaultyBackend, type Trouble } from '../testing/lock-faulty.ts'
import { itemLockKey, withClaims } from './claimed-store.ts'
import { item } from './contract.ts'
import { createMemoryStore } from './memory/store.ts'

const collection = { name: 'things', policy: DEFAULT_POLICY }
const unit = { collection, items: [item(1), item(2)] }

function setUp(trouble: Trouble) {
  const clock = createFakeClock()
  const backend = Object.assign(createFaultyBackend(createMemoryBackend({ clock }), clock), { trouble })
  const reasons: string[] = []
  const locker = createLocker(backend, { clock, ttlMs: 1_000 })
  const store = withClaims(createMemoryStore(), locker, { waitMs: 50, onUnlocked: (why) => reasons.push(why) })
  return { clock, backend, store, reasons }
}

test('a batch is put under the locks of all its items', async () => {
  const { clock, store, backend, reasons } = setUp('none')
  const [outcome] = await whileTimePasses(clock, store.put([unit], 1))
  expect(outcome).toMatchObject({ outcomes: [{ kind: 'created' }, { kind: 'created' }] })
  expect(backend.calls.filter((call) => call === 'tryAcquire')).toHaveLength(2)
  expect(reasons).toEqual([])
})

test('content that another holds is waited for, then refused as in flight', async () => {
  const { clock, store, backend, reasons } = setUp('none')
  const key = itemLockKey('things', item(2).id)
  await using other = await createLocker(backend, { clock, ttlMs: 10_000 }).acquire(key)
  other.assertHeld()
  const put = expect(store.put([unit], 1)).rejects.toMatchObject({ code: 'IN_FLIGHT' })
  await whileTimePasses(clock, put)
  expect(reasons).toEqual([])
})

test('while the lock service is away the store alone decides', async () => {
  const { clock, store, reasons } = setUp('down')
  await whileTimePasses(clock, store.put([unit], 1))
  const [again] = await whileTimePasses(clock, store.put([unit], 2))
  expect(again).toMatchObject({ outcomes: [{ kind: 'duplicate' }, { kind: 'duplicate' }] })
  expect(reasons).toEqual(['LOCK_BACKEND_UNAVAILABLE', 'LOCK_BACKEND_UNAVAILABLE'])
})
