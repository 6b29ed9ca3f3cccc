import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Members, PrimaryTerm, TermRequest } from './fence-store.ts'
import { createMemoryFences } from './memory.ts'
import { isEmpty, overlap, ownEpoch, settled, union, without } from './primary-terms.ts'

const WIDTH = 6
const soon = AbortSignal.timeout(60_000)
const members = fc.array(fc.constantFrom('0', '1'), { minLength: WIDTH, maxLength: WIDTH }).map((all) => all.join(''))
const wanted = fc.record({
  owner: fc.constantFrom('a', 'b', 'c'),
  line: fc.constantFrom('x', 'y'),
  members: members.filter((text) => !isEmpty(text)),
})

test('sets of members', () => {
  expect(without('1100', '0100')).toBe('1000')
  expect(union('1100', '0101')).toBe('1101')
  expect(union('', '01')).toBe('01')
  expect([overlap('10', '01'), overlap('11', '01'), overlap('', '1')]).toEqual([false, true, false])
  expect([isEmpty('000'), isEmpty(''), isEmpty('010')]).toEqual([true, true, false])
})

test('every term exceeds the epochs that others took for its members, and an owner keeps its epoch', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(wanted, { maxLength: 30 }), async (requests) => {
      const store = createMemoryFences()
      const last = new Map<string, { owner: string; epoch: bigint }>()
      let newest = 0n
      for (const { owner, line, members: some } of requests) {
        const counters = countersOf(line, some)
        const isOwnAlready = counters.every((counter) => last.get(counter)?.owner === owner)
        const epoch = await store.takeTerm({ owner, above: 0n, parts: [{ line, members: some }] }, soon)
        for (const counter of counters) {
          const before = last.get(counter)
          const least = leastFor(before, owner)
          if (epoch < least) return false
          last.set(counter, { owner, epoch })
        }
        if (isOwnAlready && epoch > newest) return false
        newest = maxOf(newest, epoch)
        const terms = await store.termsOf(['x', 'y'], soon)
        if (!isPartition(terms) || !includesAll(terms, owner, counters)) return false
      }
      return true
    }),
    { numRuns: 500 },
  )
})

const countersOf = (line: string, some: Members): readonly string[] =>
  some.split('').flatMap((digit, i) => (digit === '1' ? [`${line}${i}`] : []))

function includesAll(terms: readonly PrimaryTerm[], owner: string, counters: readonly string[]): boolean {
  const told = terms.filter((t) => t.owner === owner).flatMap((t) => countersOf(t.line, t.members))
  return counters.every((counter) => told.includes(counter))
}

const maxOf = (a: bigint, b: bigint): bigint => (a > b ? a : b)

/** The least sufficient epoch for a counter that this server or another one had before. */
function leastFor(before: { owner: string; epoch: bigint } | undefined, owner: string): bigint {
  if (before === undefined) return 1n
  return before.owner === owner ? before.epoch : before.epoch + 1n
}

/** Returns true if no counter is in two terms, and no term is empty. */
function isPartition(terms: readonly PrimaryTerm[]): boolean {
  return terms.every(
    (one, i) =>
      !isEmpty(one.members) &&
      terms.slice(i + 1).every((other) => one.line !== other.line || !overlap(one.members, other.members)),
  )
}

test('an own epoch that is not above the epochs of others is not reused', () => {
  const term = (owner: string, epoch: bigint, some: Members): PrimaryTerm => ({
    line: 'x',
    owner,
    epoch,
    members: some,
  })
  const request = (some: Members, above = 0n): TermRequest => ({
    owner: 'a',
    above,
    parts: [{ line: 'x', members: some }],
  })
  const terms = [term('a', 3n, '1100'), term('b', 5n, '0010'), term('b', 2n, '0001')]
  expect(ownEpoch(terms, request('1100'))).toBe(3n)
  expect(ownEpoch(terms, request('1101'))).toBe(3n)
  expect(ownEpoch(terms, request('1110'))).toBeUndefined()
  expect(ownEpoch(terms, request('1100', 3n))).toBeUndefined()
  expect(ownEpoch([], request('1111'))).toBeUndefined()
  expect(settled(terms, { line: 'x', members: '1111' }, { owner: 'a', epoch: 3n })).toEqual([
    { line: 'x', owner: 'a', epoch: 3n, members: '1101' },
    { line: 'x', owner: 'b', epoch: 5n, members: '0010' },
  ])
})
