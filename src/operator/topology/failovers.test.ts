import { expect, test } from 'vitest'
import { type Failover, NO_MEMORY, pausedAt, type Roles, stillPrimary, trackFailovers } from './failovers.ts'

const PODS = ['r-0', 'r-1', 'r-2']
const roles = (
  primaries: readonly string[],
  replicas: Readonly<Record<string, string>>,
  more: Partial<Roles> = {},
) => ({
  primaries,
  replicas: new Map(Object.entries(replicas)),
  staying: new Set(PODS),
  isCluster: false,
  ...more,
})

/** Polls once a second, and returns the failovers. */
function polls(...seen: readonly Omit<Roles, 'nowMs' | 'wallMs'>[]): readonly Failover[] {
  let memory = NO_MEMORY
  return seen.flatMap((one, index) => {
    const turn = trackFailovers(memory, { ...one, nowMs: index * 1_000, wallMs: index })
    memory = turn.memory
    return turn.failovers
  })
}

const HEALTHY = roles(['r-0'], { 'r-1': 'r-0', 'r-2': 'r-0' })
const AFTER = roles(['r-1'], { 'r-2': 'r-1' })
const MOVED = { from: 'r-0', to: 'r-1' }

test('a healthy set has no failover, and neither has the first poll of an operator', () => {
  expect(polls(HEALTHY, HEALTHY, HEALTHY)).toEqual([])
  expect(polls(AFTER)).toEqual([])
})

test('a primary that fell silent was not replaced by plan, and the gap counts from its last response', () => {
  const silent = roles([], { 'r-1': 'r-0', 'r-2': 'r-0' })
  const expected = { ...MOVED, planned: false, writeGapMs: 4_000, reason: 'ServerSilent', wallMs: 4 }
  expect(polls(HEALTHY, silent, silent, silent, AFTER, AFTER)).toEqual([expected])
})

test('a primary whose pod is gone', () => {
  const gone = roles([], { 'r-1': 'r-0', 'r-2': 'r-0' }, { staying: new Set(['r-1', 'r-2']) })
  expect(polls(HEALTHY, gone, AFTER)).toMatchObject([{ ...MOVED, planned: false, reason: 'PodLost' }])
})

test('a primary that responded until its successor was there handed over', () => {
  const demoted = roles(['r-1'], { 'r-0': 'r-1', 'r-2': 'r-1' })
  expect(polls(HEALTHY, demoted)).toMatchObject([{ ...MOVED, planned: true, writeGapMs: 1_000, reason: 'Handover' }])
})

test('a hand-over before a deletion, also when no server is primary for a moment', () => {
  const staying = new Set(['r-1', 'r-2'])
  const leaving = { ...HEALTHY, staying }
  const between = roles([], { 'r-0': 'r-1', 'r-1': 'r-0', 'r-2': 'r-0' }, { staying })
  const after = roles(['r-1'], { 'r-0': 'r-1', 'r-2': 'r-1' }, { staying })
  expect(polls(leaving, between, after)).toMatchObject([{ ...MOVED, planned: true, reason: 'PodDeleted' }])
})

test('a second primary beside the first is no failover until the first has gone', () => {
  const two = roles(['r-0', 'r-1'], { 'r-2': 'r-1' })
  expect(polls(HEALTHY, two, two)).toEqual([])
})

test('a second primary that was demoted can take over later', () => {
  const two = roles(['r-0', 'r-2'], { 'r-1': 'r-0' })
  const silent = roles([], { 'r-1': 'r-0', 'r-2': 'r-0' })
  const third = roles(['r-2'], { 'r-1': 'r-2' })
  expect(polls(HEALTHY, two, HEALTHY, silent, third)).toMatchObject([{ from: 'r-0', to: 'r-2' }])
})

test('a primary that comes back as primary is no failover', () => {
  const silent = roles([], { 'r-1': 'r-0', 'r-2': 'r-0' })
  expect(polls(HEALTHY, silent, HEALTHY)).toEqual([])
})

test('in a cluster, only the shard of the failed primary has one', () => {
  const cluster = { staying: new Set(['a', 'b', 'c', 'd']), isCluster: true }
  const before = roles(['a', 'b'], { c: 'a', d: 'b' }, cluster)
  const silent = roles(['b'], { c: 'a', d: 'b' }, cluster)
  const after = roles(['b', 'c'], { d: 'b' }, cluster)
  expect(polls(before, silent, after)).toMatchObject([{ from: 'a', to: 'c', reason: 'ServerSilent' }])
})

test('a replica that was promoted before it was seen to follow the last primary', () => {
  const between = roles(['r-1'], { 'r-0': 'r-1', 'r-2': 'r-0' })
  const third = roles(['r-2'], { 'r-0': 'r-2' })
  expect(polls(HEALTHY, between, third)).toMatchObject([MOVED, { from: 'r-1', to: 'r-2' }])
})

test('two failovers in a row are both seen', () => {
  const silent = roles([], { 'r-2': 'r-1' })
  const third = roles(['r-2'], {})
  expect(polls(HEALTHY, roles([], { 'r-1': 'r-0', 'r-2': 'r-0' }), AFTER, silent, third)).toMatchObject([
    MOVED,
    { from: 'r-1', to: 'r-2' },
  ])
})

test('the gap counts from the last response, also if nothing else had changed, and from a pause of writes', () => {
  const seen = { ...HEALTHY, nowMs: 0, wallMs: 0 }
  const { memory } = trackFailovers(NO_MEMORY, seen)
  const gapAfter = (last: typeof memory): number | undefined =>
    trackFailovers(last, { ...AFTER, nowMs: 9_000, wallMs: 9 }).failovers[0]?.writeGapMs
  expect(gapAfter(memory)).toBe(9_000)
  expect(gapAfter(stillPrimary(memory, ['r-0'], 7_000))).toBe(2_000)
  expect(gapAfter(pausedAt(memory, 'r-0', 8_500))).toBe(500)
})
