import { expect, test } from 'vitest'
import { Touches } from './touches.ts'

const SESSION_MS = 10_000

/** Returns the pings of a process that was stopped from 1 s to 9 s after it had begun its session. */
function afterPause(create = (sentMs: number) => new Touches(sentMs)): Touches {
  const touches = create(0)
  touches.answered(1_000, 1_050, SESSION_MS)
  touches.answered(9_000, 9_050, SESSION_MS)
  return touches
}

test('a lease is at most 60 % of the session', () => {
  const touches = new Touches(0)
  expect(touches.leaseEndMs(0, SESSION_MS)).toBe(6_000)
  for (let ms = 1_000; ms <= 20_000; ms += 1_000) {
    touches.answered(ms, ms + 50, SESSION_MS)
    expect(touches.leaseEndMs(ms + 60, SESSION_MS)).toBe(ms + 60 + 6_000)
  }
})

test('after a pause, a lease ends before a leader that has not heard of the last ping can end the session', () => {
  const touches = afterPause()
  expect(touches.leaseEndMs(9_060, SESSION_MS)).toBe(11_000)
  // by now the follower has told its leader
  expect(touches.leaseEndMs(11_600, SESSION_MS)).toBe(17_600)
})

test('a variant for which every answered ping counts promises a lease beyond the session', () => {
  class AllCount extends Touches {
    override answered(sentMs: number, _answeredMs: number, sessionMs: number): void {
      super.answered(sentMs, Number.NEGATIVE_INFINITY, sessionMs)
    }
  }
  expect(afterPause((sentMs) => new AllCount(sentMs)).leaseEndMs(9_060, SESSION_MS)).toBeGreaterThan(11_000)
})

test('a process that was stopped for a whole session gets no lease', () => {
  const touches = new Touches(0)
  touches.answered(12_000, 12_050, SESSION_MS)
  expect(touches.leaseEndMs(12_060, SESSION_MS)).toBeLessThan(12_060)
})
