import { expect, test } from 'vitest'
import { createMemoryStore } from '../items/stores/memory/store.ts'
import { openTestApp, overStore } from '../testing/app.ts'
import { createFakeClock } from '../testing/clock.ts'
import { preferredWaitMs, withinWait } from './prefer.ts'

test.each([
  ['wait=5', 5_000],
  ['return=minimal, wait=10', 10_000],
  ['wait="3"', 3_000],
  ['respond-async; wait=0', 0],
  ['wait=999999', 600_000],
])('reads %j', (prefer, ms) => {
  expect(preferredWaitMs({ headers: { prefer } })).toBe(ms)
})

test.each([undefined, '', 'return=minimal', 'wait', 'wait=soon', 'await=5'])('reads no wait from %j', (prefer) => {
  expect(preferredWaitMs({ headers: prefer === undefined ? {} : { prefer } })).toBeUndefined()
})

test('ends the wait with an error, and lets the work go on', async () => {
  const clock = createFakeClock()
  const { promise, resolve } = Promise.withResolvers<string>()
  const outcome = expect(withinWait(promise, 50, clock)).rejects.toMatchObject({ code: 'IN_FLIGHT' })
  await clock.advance(50)
  await outcome
  resolve('done')
  expect(await withinWait(promise, 50, clock)).toBe('done')
})

test('responds with 409 after the wait, and the item is still saved', async () => {
  const inner = createMemoryStore()
  const { promise: commit, resolve } = Promise.withResolvers<void>()
  const store = overStore(inner, { put: (units, nowMs) => commit.then(() => inner.put(units, nowMs)) })
  const app = await openTestApp({ store })
  const late = await app.post('/v1/collections/c/items', '{"a":1}', { prefer: 'wait=0' })
  expect(late.statusCode).toBe(409)
  expect(late.headers['retry-after']).toBe('1')
  expect(late.json()).toMatchObject({ code: 'IN_FLIGHT' })
  resolve()
  const again = await app.post('/v1/collections/c/items', '{"a":1}')
  expect(again.json()).toMatchObject({ status: 'duplicate' })
})
