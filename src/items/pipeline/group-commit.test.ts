import { expect, test } from 'vitest'
import { createFakeClock } from '../../testing/clock.ts'
import { storeCapabilities, type Unit, type UnitOutcome } from '../store.ts'
import { createGroupCommit } from './group-commit.ts'

const collection = { name: 'c', policy: { kind: 'json' } } as const

function unit(items = 1): Unit {
  return {
    collection,
    items: Array.from({ length: items }, (_, index) => ({ id: `${index}`, media: 'm', content: Buffer.from('x') })),
  }
}

/** A store whose commits end when the test ends them. */
function slowStore(parallelPuts = 1) {
  const batches: { units: readonly Unit[]; commit: () => void; fail: (failure: Error) => void }[] = []
  const put = (units: readonly Unit[]): Promise<readonly UnitOutcome[]> =>
    new Promise((resolve, reject) => {
      const outcomes = units.map(
        (one): UnitOutcome => ({
          kind: 'stored',
          outcomes: one.items.map(() => ({ kind: 'created', firstSeenMs: 1 })),
        }),
      )
      batches.push({ units, commit: () => resolve(outcomes), fail: reject })
    })
  return { store: { put, capabilities: storeCapabilities({ enforcesUniqueness: true, parallelPuts }) }, batches }
}

function setUp(options: { parallelPuts?: number; maxPendingItems?: number; maxPendingBytes?: number } = {}) {
  const { parallelPuts, ...bounds } = options
  const { store, batches } = slowStore(parallelPuts)
  const clock = createFakeClock()
  const turns: (() => void)[] = []
  const commit = createGroupCommit({ store, clock, defer: (turn) => void turns.push(turn), ...bounds })
  const endTurn = async (): Promise<void> => {
    for (const turn of turns.splice(0)) turn()
    await clock.advance(0)
  }
  const sizes = (): number[] => batches.map((batch) => batch.units.length)
  return { commit, batches, clock, endTurn, sizes }
}

test('sends a lone item at the end of its turn, without waiting', async () => {
  const { commit, endTurn, sizes, batches } = setUp()
  const first = commit.submit(unit())
  await endTurn()
  expect(sizes()).toEqual([1])
  batches[0]?.commit()
  await first
  void commit.submit(unit())
  await endTurn()
  expect(sizes()).toEqual([1, 1])
})

test('sends units of one turn together', async () => {
  const { commit, endTurn, sizes } = setUp()
  for (let n = 0; n < 5; n++) void commit.submit(unit())
  await endTurn()
  expect(sizes()).toEqual([5])
})

test('collects units during a commit, and sends them together after it', async () => {
  const { commit, endTurn, sizes, batches } = setUp()
  void commit.submit(unit())
  await endTurn()
  for (let n = 0; n < 9; n++) {
    void commit.submit(unit())
    await endTurn()
  }
  expect(sizes()).toEqual([1])
  batches[0]?.commit()
  await endTurn()
  await endTurn()
  expect(sizes()).toEqual([1, 9])
})

test('under load, waits for half of the outstanding items, but not beyond the linger time', async () => {
  const { commit, clock, endTurn, sizes, batches } = setUp()
  for (let n = 0; n < 20; n++) void commit.submit(unit())
  await endTurn()
  batches[0]?.commit()
  await endTurn()
  void commit.submit(unit())
  await endTurn()
  await endTurn()
  expect(sizes()).toEqual([20])
  await clock.advance(1)
  expect(sizes()).toEqual([20])
  await clock.advance(1)
  expect(sizes()).toEqual([20, 1])
})

test("sends a full batch beside a running one, up to the store's limit of parallel puts", async () => {
  const { commit, endTurn, sizes } = setUp({ parallelPuts: 2 })
  void commit.submit(unit(600))
  await endTurn()
  void commit.submit(unit(10))
  await endTurn()
  expect(sizes()).toEqual([1])
  void commit.submit(unit(600))
  await endTurn()
  expect(sizes()).toEqual([1, 2])
  void commit.submit(unit(600))
  await endTurn()
  expect(sizes()).toEqual([1, 2])
})

test('sends a unit that is larger than a batch alone', async () => {
  const { commit, endTurn, batches } = setUp({ parallelPuts: 3 })
  void commit.submit(unit(5_000))
  void commit.submit(unit(5_000))
  await endTurn()
  expect(batches.map((batch) => batch.units.map((one) => one.items.length))).toEqual([[5_000], [5_000]])
})

test.each([{ maxPendingItems: 3 }, { maxPendingBytes: 3 }])(
  'refuses submissions beyond the limit, and accepts them again after a commit: %o',
  async (bounds) => {
    const { commit, endTurn, batches } = setUp(bounds)
    const first = commit.submit(unit(3))
    await expect(commit.submit(unit())).rejects.toMatchObject({ code: 'OVERLOADED' })
    let room = false
    const waiting = commit.waitForCapacity(new AbortController().signal).then(() => (room = true))
    await endTurn()
    expect(room).toBe(false)
    batches[0]?.commit()
    await first
    await waiting
    expect(commit.pendingItems()).toBe(0)
    void commit.submit(unit())
    expect(commit.pendingItems()).toBe(1)
  },
)

test('stops waiting for capacity with the reason of the signal', async () => {
  const { commit } = setUp({ maxPendingItems: 1 })
  void commit.submit(unit())
  const abort = new AbortController()
  const waiting = commit.waitForCapacity(abort.signal)
  abort.abort(new Error('gone'))
  await expect(waiting).rejects.toThrow('gone')
})

test('a failed commit rejects each of its units, and the next commit is tried', async () => {
  const { commit, endTurn, batches } = setUp()
  const failed = [commit.submit(unit()), commit.submit(unit())].map((one) => expect(one).rejects.toThrow('disk full'))
  await endTurn()
  batches[0]?.fail(new Error('disk full'))
  await Promise.all(failed)
  await endTurn()
  const next = commit.submit(unit())
  await endTurn()
  batches[1]?.commit()
  await expect(next).resolves.toMatchObject({ kind: 'stored' })
})
