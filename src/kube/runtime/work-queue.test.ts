import { expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import type { Log } from '../../telemetry/log.ts'
import { silentLog } from '../../telemetry/log.ts'
import { createFakeClock, type FakeClock } from '../../testing/clock.ts'
import { unmeasuredRuntime } from './measures.ts'
import { createWorkQueue, type Reconcile, type WorkQueue } from './work-queue.ts'

interface Fixture {
  readonly clock: FakeClock
  readonly queue: WorkQueue
  readonly stop: () => Promise<void>
}

function start(reconcile: Reconcile, { concurrency = 4, log = silentLog, draw = 1 } = {}): Fixture {
  const clock = createFakeClock()
  const deps = { clock, random: () => draw, log, measures: unmeasuredRuntime }
  const queue = createWorkQueue({ name: 'test', reconcile, concurrency, ...deps })
  const abort = new AbortController()
  const running = queue.run(abort.signal)
  return {
    clock,
    queue,
    stop: async () => {
      abort.abort(new Error('the test ended'))
      await running
    },
  }
}

test('a key that is added many times before its turn is reconciled once', async () => {
  const seen: string[] = []
  const { clock, queue, stop } = start(async (key) => void seen.push(key))
  for (let time = 0; time < 5; time++) queue.add('a')
  queue.add('b')
  await clock.advance(0)
  expect(seen).toEqual(['a', 'b'])
  await stop()
})

test('one key is never reconciled twice at the same time, and a change meanwhile is not lost', async () => {
  let active = 0
  let runs = 0
  const { clock, queue, stop } = start(async () => {
    expect(++active).toBe(1)
    runs++
    await clock.sleep(100)
    active--
  })
  queue.add('a')
  await clock.advance(10)
  queue.add('a')
  queue.add('a')
  await clock.advance(1_000)
  expect(runs).toBe(2)
  await stop()
})

test('no more keys than the limit are reconciled at the same time', async () => {
  let active = 0
  let most = 0
  const { clock, queue, stop } = start(
    async () => {
      most = Math.max(most, ++active)
      await clock.sleep(10)
      active--
    },
    { concurrency: 3 },
  )
  for (let number = 0; number < 20; number++) queue.add(`k${number}`)
  await clock.advance(1_000)
  expect([most, active]).toEqual([3, 0])
  await stop()
})

test('a failed key is tried again with delays that grow up to a minute', async () => {
  const times: number[] = []
  const { clock, queue, stop } = start(async () => {
    times.push(clock.monotonicMs())
    throw new Error('no')
  })
  queue.add('a')
  await clock.advance(600_000)
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
  expect(gaps.slice(0, 4)).toEqual([200, 400, 800, 1_600])
  expect(Math.max(...gaps)).toBe(60_000)
  await stop()
})

test('a failed key waits at least as long as the server asked for', async () => {
  const times: number[] = []
  const { clock, queue, stop } = start(
    async () => {
      times.push(clock.monotonicMs())
      if (times.length === 1) throw new IngotError('KUBE_UNAVAILABLE', 'busy', { facts: { retryAfterMs: 7_000 } })
    },
    { draw: 0 },
  )
  queue.add('a')
  await clock.advance(20_000)
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBe(7_000)
  await stop()
})

test('a change ends the wait after a failure', async () => {
  let runs = 0
  const { clock, queue, stop } = start(async () => {
    if (++runs < 10) throw new Error('no')
  })
  queue.add('a')
  await clock.advance(5_000)
  const before = runs
  queue.add('a')
  await clock.advance(0)
  expect(runs).toBe(before + 1)
  await stop()
})

test('a success ends the series of failures, and requeueAfterMs is kept', async () => {
  const times: number[] = []
  const { clock, queue, stop } = start(async () => {
    times.push(clock.monotonicMs())
    if (times.length % 2 === 1) throw new Error('no')
    return { requeueAfterMs: 30_000 }
  })
  queue.add('a')
  await clock.advance(60_300)
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
  expect(gaps).toEqual([200, 30_000, 200])
  await stop()
})

test('a failure that repeats is logged at the first, the second, the fourth time and so on', async () => {
  const lines: object[] = []
  const log: Log = { ...silentLog, warn: (fields) => void lines.push(fields) }
  const { clock, queue, stop } = start(async () => Promise.reject(new Error('no')), { log })
  queue.add('a')
  await clock.advance(3_600_000)
  expect(lines.map((line) => 'failures' in line && line.failures)).toEqual([1, 2, 4, 8, 16, 32, 64])
  await stop()
})

test('the end of the signal waits for the reconciles under way, and begins no other', async () => {
  const ended: string[] = []
  const { clock, queue, stop } = start(
    async (key) => {
      await clock.sleep(100)
      ended.push(key)
    },
    { concurrency: 1 },
  )
  queue.add('a')
  queue.add('b')
  await clock.advance(0)
  const stopping = stop()
  await clock.advance(1_000)
  await stopping
  expect(ended).toEqual(['a'])
})
