import { expect, test } from 'vitest'
import { createRandom } from '../../std/random.ts'
import { planOf } from './order.ts'

const KINDS = ['kill', 'stop', 'flush', 'cut', 'late']

function first(seed: number, count: number): readonly string[] {
  const plan = planOf(KINDS, createRandom(seed))
  return Array.from({ length: count }, () => plan.next().value ?? '')
}

test('every fault comes once before any is repeated', () => {
  const drawn = first(1, KINDS.length * 3)
  for (const from of [0, 5, 10]) expect(drawn.slice(from, from + 5).toSorted()).toEqual(KINDS.toSorted())
})

test('a plan depends only on its seed', () => {
  expect(first(7, 50)).toEqual(first(7, 50))
  expect(first(7, 50)).not.toEqual(first(8, 50))
})

test('the plan of no faults is empty', () => {
  expect([...planOf([], createRandom(1))]).toEqual([])
})
