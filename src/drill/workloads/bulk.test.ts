import { expect, test } from 'vitest'
import { createRandom } from '../../std/random.ts'
import { createFakeClock } from '../../testing/clock.ts'
import type { Form } from '../spelling.ts'
import { type BulkWorkload, bulkClient, createRoutes, settleBulk } from './bulk.ts'
import type { Entry } from './content.ts'
import { createNumberedBook } from './numbered-book.ts'
import type { Outcome, Sender } from './sender.ts'

const TARGETS = ['a', 'b', 'c']

interface Request {
  readonly to: string
  readonly form: Form
  readonly numbers: readonly number[]
}

/** Creates a workload whose requests have the outcome that `outcome` returns. */
function setUp(outcome: (request: Request, count: number) => Outcome) {
  const clock = createFakeClock()
  const requests: Request[] = []
  const book = createNumberedBook(1, createRandom(2))
  const sender: Sender = {
    idOf: () => undefined,
    remove: async () => 'ok',
    async save(_process, to, sent: readonly Entry[], form) {
      const request = { to, form, numbers: sent.map(({ content }) => content.number) }
      requests.push(request)
      await clock.sleep(10)
      return sent.map(() => outcome(request, requests.length))
    },
  }
  const routes = createRoutes(TARGETS, clock)
  const workload: BulkWorkload = { sender, book, targets: TARGETS, routes, clock, streamItems: 8 }
  return { clock, requests, book, workload }
}

async function traffic(set: ReturnType<typeof setUp>, ms: number): Promise<void> {
  const ending = new AbortController()
  const client = bulkClient(set.workload, 'client')(createRandom(3), ending.signal)
  await set.clock.advance(ms)
  ending.abort()
  await set.clock.advance(1_000)
  await client
}

test('single requests, batches and streams are sent, with repeats, to every replica', async () => {
  const set = setUp(() => 'ok')
  await traffic(set, 1_000)
  expect(new Set(set.requests.map(({ form }) => form))).toEqual(new Set(['single', 'batch', 'stream']))
  expect(new Set(set.requests.map(({ to }) => to))).toEqual(new Set(TARGETS))
  const all = set.requests.flatMap(({ numbers }) => numbers)
  expect(new Set(all).size).toBeLessThan(all.length)
  expect(set.book.acknowledged).toBe(new Set(all).size)
})

test('a replica that acknowledges nothing gets no requests for a moment, and then gets requests again', async () => {
  const set = setUp(({ to }) => (to === 'b' ? 'info' : 'ok'))
  await traffic(set, 5_000)
  const toB = set.requests.filter(({ to }) => to === 'b').length
  expect(toB).toBeGreaterThan(1)
  expect(toB).toBeLessThan(set.requests.length / 10)
})

test('after the faults every open content is sent until it is acknowledged', async () => {
  const set = setUp((_request, count) => (count % 3 === 0 ? 'ok' : 'info'))
  await traffic(set, 500)
  const settled = settleBulk(set.workload, 8)(createRandom(4), new AbortController().signal)
  await set.clock.advance(60_000)
  await settled
  expect(set.book.takeOpen(10)).toEqual([])
  const sent = new Set(set.requests.flatMap(({ numbers }) => numbers))
  expect(set.book.acknowledged).toBe(sent.size)
})

test('settling ends with its signal', async () => {
  const set = setUp(() => 'info')
  set.book.note(set.book.fresh(), 'info')
  const ending = new AbortController()
  const settled = settleBulk(set.workload, 1)(createRandom(4), ending.signal)
  await set.clock.advance(1_000)
  ending.abort()
  await set.clock.advance(1_000)
  await settled
  expect(set.book.acknowledged).toBe(0)
})
