import { setImmediate as turn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../telemetry/log.ts'
import { createFakeClock } from '../../testing/clock.ts'
import type { PurgeStep } from '../collection-deletion.ts'
import { createPurger } from './purger.ts'

/** A purger whose store has `steps` left. A step that is an Error fails. */
function setUp(steps: (PurgeStep | Error)[]) {
  const clock = createFakeClock()
  const calls: (string | undefined)[] = []
  const removed: number[] = []
  const purger = createPurger({
    clock,
    log: silentLog,
    onRemoved: (items) => void removed.push(items),
    store: {
      deleteCollection: async () => ({ kind: 'unknown' }),
      deletion: async () => undefined,
      async purge(_nowMs, after) {
        calls.push(after)
        const step = steps.shift() ?? { removed: 0, open: 0 }
        if (step instanceof Error) throw step
        return step
      },
    },
  })
  onTestFinished(() => purger[Symbol.asyncDispose]())
  return { clock, calls, removed, purger, steps }
}

test('continues at its start what an earlier replica left, in turn', async () => {
  const { clock, calls, removed, purger } = setUp([
    { deletion: '3', removed: 500, open: 2 },
    { deletion: '4', removed: 7, open: 2 },
    { deletion: '3', removed: 0, open: 1 },
    { deletion: '4', removed: 0, open: 0 },
  ])
  await clock.advance(1_000)
  expect(calls).toEqual([undefined, '3', '4', '3'])
  expect(removed).toEqual([500, 7])
  expect(purger.open()).toBe(0)
})

test('looks for the deletions of ended replicas after a pause', async () => {
  const { clock, calls } = setUp([])
  await clock.advance(29_000)
  expect(calls).toHaveLength(1)
  await clock.advance(2_000)
  expect(calls).toHaveLength(2)
})

test('begins at once when it is woken, also during a step', async () => {
  const { clock, calls, purger } = setUp([])
  purger.wake()
  await clock.advance(0)
  await turn()
  expect(calls).toHaveLength(2)
  purger.wake()
  await clock.advance(0)
  expect(calls).toHaveLength(3)
})

test('repeats a failed step after a pause, and does not hurry when it is woken', async () => {
  const { clock, calls, purger } = setUp([new Error('the store is unavailable'), new Error('still')])
  await clock.advance(0)
  for (let n = 0; n < 5; n++) purger.wake()
  await clock.advance(0)
  expect(calls).toHaveLength(1)
  await clock.advance(1_000)
  expect(calls).toHaveLength(2)
  await clock.advance(1_000)
  expect(calls).toHaveLength(3)
})

test('waits while other replicas are at work on all deletions', async () => {
  const { clock, calls, purger } = setUp([{ removed: 0, open: 1 }])
  await clock.advance(900)
  expect(calls).toHaveLength(1)
  expect(purger.open()).toBe(1)
  await clock.advance(200)
  expect(calls).toHaveLength(2)
})
