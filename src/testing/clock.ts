/** A fake clock that moves only when a test advances it. Timers fire in order of their due time. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock, Timer } from '../std/clock.ts'

export interface FakeClock extends Clock {
  /** Advances both clocks and fires due timers. Lets promises settle after each timer. */
  advance(ms: number): Promise<void>
  /** Moves only the wall clock, like a wrong NTP step. */
  jumpWall(ms: number): void
  /** Advances monotonic time without firing timers, like a blocked event loop or a stopped process. */
  block(ms: number): void
}

interface Pending {
  readonly dueMs: number
  readonly fire: () => void
}

export function createFakeClock(startMs = 1_000): FakeClock {
  let now = startMs
  let wallOffset = 1_700_000_000_000
  let pending: Pending[] = []

  function add(ms: number, fire: () => void): Timer {
    const entry = { dueMs: now + ms, fire }
    pending.push(entry)
    return { cancel: () => void (pending = pending.filter((p) => p !== entry)) }
  }

  async function settle(): Promise<void> {
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }

  async function fireDue(untilMs: number): Promise<void> {
    for (;;) {
      const next = pending.filter((p) => p.dueMs <= untilMs).toSorted((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined) return
      pending = pending.filter((p) => p !== next)
      now = Math.max(now, next.dueMs)
      next.fire()
      await settle()
    }
  }

  return {
    monotonicMs: () => now,
    wallMs: () => now + wallOffset,
    timer: add,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason as Error)
        const timer = add(ms, resolve)
        signal?.addEventListener(
          'abort',
          () => {
            timer.cancel()
            reject(signal.reason as Error)
          },
          { once: true },
        )
      }),
    jumpWall: (ms) => void (wallOffset += ms),
    block: (ms) => void (now += ms),
    async advance(ms) {
      await settle()
      const until = now + ms
      await fireDue(until)
      now = Math.max(now, until)
      await settle()
    },
  }
}

/** Advances fake time until the work is done. For code that polls. */
export async function whileTimePasses<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  const state = { done: false }
  const finished = work.finally(() => (state.done = true))
  while (!state.done) {
    await turn()
    await clock.advance(5)
  }
  return finished
}
