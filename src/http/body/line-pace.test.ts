import { expect, test } from 'vitest'
import { createFakeClock } from '../../testing/clock.ts'
import { createLinePace } from './line-pace.ts'

const LIMITS = { idleMs: 100, lineMs: 250 }

test('counts the time spent waiting for the rest of a line, even if single bytes arrive', async () => {
  const clock = createFakeClock()
  const pace = createLinePace(clock, LIMITS)
  pace.got(0, true)
  for (const withinMs of [100, 100, 70]) {
    expect(pace.wait().withinMs).toBe(withinMs)
    await clock.advance(90)
    pace.got(0, true)
  }
  const { withinMs, late } = pace.wait()
  expect(withinMs).toBe(0)
  expect(late()).toMatchObject({ code: 'BODY_STALLED', message: 'line 1 did not end within 250 ms (bodyTime)' })
})

test('starts again with each line, and limits only the pause between lines', async () => {
  const clock = createFakeClock()
  const pace = createLinePace(clock, LIMITS)
  for (let line = 0; line < 10; line++) {
    expect(pace.wait()).toMatchObject({ withinMs: 100 })
    await clock.advance(90)
    pace.got(line, line % 2 === 0)
  }
  pace.got(10, false)
  expect(pace.wait().late()).toMatchObject({ message: 'no data came for 100 ms (bodyIdle)' })
})

test('does not count the time that the service itself took', async () => {
  const clock = createFakeClock()
  const pace = createLinePace(clock, LIMITS)
  for (let chunk = 0; chunk < 20; chunk++) {
    expect(pace.wait().withinMs).toBe(100)
    pace.got(0, true)
    await clock.advance(1_000)
  }
})
