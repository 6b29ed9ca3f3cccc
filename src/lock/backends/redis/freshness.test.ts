import { expect, test } from 'vitest'
import { createFakeClock } from '../../../testing/clock.ts'
import { createFreshness, REFRESH_MS, STALE_MS } from './freshness.ts'

function setUp() {
  const clock = createFakeClock()
  const state = { asked: 0, away: false }
  const freshness = createFreshness(clock, async () => {
    state.asked++
    if (state.away) throw new Error('away')
  })
  freshness.answered(clock.monotonicMs())
  return { clock, state, freshness }
}

test('a fresh response is used, an older one is refreshed in the background, and a stale one is awaited', async () => {
  const { clock, state, freshness } = setUp()
  clock.block(REFRESH_MS - 1)
  expect([freshness.due(), state.asked]).toEqual([undefined, 0])
  clock.block(1)
  expect([freshness.due(), freshness.due(), state.asked]).toEqual([undefined, undefined, 1])
  await clock.advance(0)
  clock.block(STALE_MS + 1)
  await freshness.due()
  expect(state.asked).toBe(2)
  expect(freshness.due()).toBeUndefined()
})

test('a store that does not respond is not awaited again, and is asked at intervals', async () => {
  const { clock, state, freshness } = setUp()
  state.away = true
  clock.block(STALE_MS + 1)
  await freshness.due()
  for (let i = 0; i < 5; i++) expect(freshness.due()).toBeUndefined()
  expect(state.asked).toBe(1)
  clock.block(REFRESH_MS)
  expect(freshness.due()).toBeUndefined()
  await clock.advance(0)
  expect(state.asked).toBe(2)
  state.away = false
  clock.block(REFRESH_MS)
  expect(freshness.due()).toBeUndefined()
  await clock.advance(0)
  clock.block(STALE_MS + 1)
  expect(freshness.due()).toBeInstanceOf(Promise)
})
