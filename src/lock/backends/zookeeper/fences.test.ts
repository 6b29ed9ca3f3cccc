import { expect, test } from 'vitest'
import { createFakeClock } from '../../../testing/clock.ts'
import { epochOfFence } from '../../fencing/fence-store.ts'
import { createMemoryFences } from '../../fencing/memory.ts'
import { NodeFences } from './fences.ts'

const zxid = (leader: bigint, counter: bigint): bigint => (leader << 32n) | counter

function setUp(store = createMemoryFences()) {
  const fences = new NodeFences(createFakeClock(), store)
  fences.name('zookeeper:1:2')
  return fences
}

test('without a fence store the number of the transaction is the fence', () => {
  const fences = new NodeFences(createFakeClock(), undefined)
  expect(fences.now()(zxid(3n, 9n))).toBe(zxid(3n, 9n))
})

test('all processes give the leaders of an ensemble the same epochs, which rise', async () => {
  const store = createMemoryFences()
  const [one, other] = [setUp(store), setUp(store)]
  for (const leader of [5n, 6n]) await one.learn(zxid(leader, 1n))
  for (const leader of [6n, 5n]) await other.learn(zxid(leader, 2n))
  for (const leader of [5n, 6n]) expect(one.now()(zxid(leader, 7n))).toBe(other.now()(zxid(leader, 7n)))
  expect(one.now()(zxid(6n, 0n)) ?? 0n).toBeGreaterThan(one.now()(zxid(5n, 0xffff_ffffn)) ?? 0n)
})

test('an epoch that was asked for too late is not that of an older node; if it was, fences would fall', async () => {
  const store = createMemoryFences()
  const [late, prompt] = [setUp(store), setUp(store)]
  const old = zxid(5n, 1n)
  const known = late.now()
  await prompt.learn(zxid(6n, 1n))
  const next = prompt.now()(zxid(6n, 2n)) ?? 0n
  await late.learn(old)
  // the node of the older leader gets no fence, so it is given up
  expect(known(old)).toBeUndefined()
  const wrong = late.now()(old) ?? 0n
  expect(epochOfFence(wrong)).toBeGreaterThan(epochOfFence(next))
})
