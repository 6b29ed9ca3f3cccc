import { expect, test } from 'vitest'
import { createFakeClock } from '../testing/clock.ts'
import { createMemoryBackend } from './backends/memory/backend.ts'
import { createLocker } from './locker.ts'

const TTL_MS = 1_000

function setUp() {
  const clock = createFakeClock()
  const locker = createLocker(createMemoryBackend({ clock }), { clock, ttlMs: TTL_MS, waitMs: 5_000 })
  return { clock, locker }
}

test('shows held locks with age, length, remaining time and fence, the oldest first', async () => {
  const { clock, locker } = setUp()
  const first = await locker.acquire('a')
  await clock.advance(100)
  const second = await locker.acquire('b')
  await clock.advance(50)
  expect(locker.observe()).toEqual({
    held: [
      { key: 'a', fence: first.fence, ageMs: 150, ttlMs: TTL_MS, remainingMs: 835 },
      { key: 'b', fence: second.fence, ageMs: 50, ttlMs: TTL_MS, remainingMs: 935 },
    ],
    waiting: [],
  })
  await first.release()
  expect(locker.observe().held.map(({ key }) => key)).toEqual(['b'])
})

test('shows waiting callers until they are granted, time out or are refused', async () => {
  const { clock, locker } = setUp()
  const held = await locker.acquire('a')
  const granted = locker.acquire('a')
  await clock.advance(10)
  const late = locker.acquire(['a', 'b'], { waitMs: 100 }).catch(() => 'late')
  await clock.advance(5)
  expect(locker.observe().waiting).toEqual([
    { keys: ['a'], ageMs: 15 },
    { keys: ['a', 'b'], ageMs: 5 },
  ])
  await clock.advance(200)
  expect(await late).toBe('late')
  expect(locker.observe().waiting).toHaveLength(1)
  await held.release()
  const next = await granted
  expect(locker.observe()).toMatchObject({ held: [{ key: 'a', fence: next.fence }], waiting: [] })
})

test('shows nothing of a free, a refused and a lost lock', async () => {
  const { clock, locker } = setUp()
  expect(locker.observe()).toEqual({ held: [], waiting: [] })
  const held = await locker.acquire('a', { maxHoldMs: 500 })
  expect(await locker.tryAcquire('a')).toMatchObject({ kind: 'held' })
  expect(locker.observe()).toMatchObject({ held: [{ key: 'a' }], waiting: [] })
  await clock.advance(600)
  expect(held.isHeld()).toBe(false)
  expect(locker.observe()).toEqual({ held: [], waiting: [] })
})

test('includes the permits of semaphores', async () => {
  const { locker } = setUp()
  const permit = await locker.semaphore('slots', { permits: 2 }).acquire()
  expect(locker.observe().held).toHaveLength(1)
  await permit.release()
  expect(locker.observe().held).toEqual([])
})
