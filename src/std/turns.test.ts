import { expect, test } from 'vitest'
import { createTurns, type Turns } from './turns.ts'

/** A loop whose turns the test advances one by one. */
function manual(): { turns: Turns; pass: () => Promise<void> } {
  let next: (() => void) | undefined
  const turns = createTurns(100, (callback) => void (next = callback))
  return {
    turns,
    async pass() {
      const callback = next
      next = undefined
      callback?.()
      await Promise.resolve()
    },
  }
}

/** Starts work of these costs. Returns the work that has been admitted so far. */
function start(turns: Turns, costs: readonly number[]): number[] {
  const through: number[] = []
  for (const [index, cost] of costs.entries()) {
    const turn = turns.enter(cost)
    if (turn === undefined) through.push(index)
    else void turn.then(() => through.push(index))
  }
  return through
}

test('admits a budget of work at once, and the rest in later turns, in order', async () => {
  const { turns, pass } = manual()
  const through = start(turns, [60, 40, 30, 30, 50, 1])
  expect(through).toEqual([0, 1])
  await pass()
  expect(through).toEqual([0, 1, 2, 3])
  await pass()
  expect(through).toEqual([0, 1, 2, 3, 4, 5])
})

test('admits nothing before work that waits, however small it is', async () => {
  const { turns, pass } = manual()
  const through = start(turns, [90, 20, 5])
  expect(through).toEqual([0])
  await pass()
  expect(through).toEqual([0, 1, 2])
})

test('gives work beyond the budget its own turn', async () => {
  const { turns, pass } = manual()
  const through = start(turns, [1_000, 1_000, 1])
  expect(through).toEqual([0])
  await pass()
  expect(through).toEqual([0, 1])
  await pass()
  expect(through).toEqual([0, 1, 2])
  await pass()
  expect(start(turns, [100])).toEqual([0])
})
