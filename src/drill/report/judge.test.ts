import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { FinalStore, StoredRow } from '../checkers/final-store.ts'
import type { Event } from '../history.ts'
import { inOrder } from '../merge.ts'
import { createJudge, type DrillRecord, type DrillWindow, type Judged } from './judge.ts'
import { outageOf } from './outage.ts'
import { cut } from './split-history.ts'

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
const row = (key: string): StoredRow => ({ collection: 'c', id: `j1-${key}`, bytes: digest(key) })

interface Save {
  readonly at: number
  readonly key?: string
  readonly tookMs?: number
  readonly error?: string
  readonly result?: string
}

/** A save at `at` milliseconds. Its default key contains that time. */
function save({ at, key = `k${at}`, tookMs = 5, error, result = 'created' }: Save): readonly Event[] {
  const base = { process: 'vu', op: `${key}@${at}`, f: 'save', key, collection: 'c', seq: 1 } as const
  const end = at + tookMs
  const completion =
    error === undefined ? { type: 'ok' as const, result, id: `j1-${key}` } : { type: 'info' as const, error }
  return [
    { ...base, type: 'invoke', bytes: digest(key), tMono: at, tWall: at },
    { ...base, ...completion, tMono: end, tWall: end },
  ]
}

const every = (fromMs: number, untilMs: number, stepMs = 100): readonly Save[] =>
  Array.from({ length: Math.ceil((untilMs - fromMs) / stepMs) }, (_, index) => ({ at: fromMs + index * stepMs }))

const phase = (key: string, at: number): Event => ({
  process: 'x',
  op: `${key}${at}`,
  f: 'phase',
  type: 'info',
  key,
  seq: 1,
  tMono: at,
  tWall: at,
})

function fault(name: string, at: number, isProven = true): readonly Event[] {
  const base = { process: 'nemesis', op: `fault-${name}`, f: 'fault', key: name, seq: 1 } as const
  const end = isProven ? { type: 'ok' as const, proof: 'seen' } : { type: 'info' as const, error: 'left out' }
  return [
    { ...base, type: 'invoke', tMono: at, tWall: at },
    { ...base, ...end, tMono: at + 500, tWall: at + 500 },
  ]
}

const WINDOWS = [
  { name: 'one', fromMs: 0, injectedMs: 3_000, untilMs: 9_000, redisLoss: 'allow' },
  { name: 'two', fromMs: 9_000, injectedMs: 13_000, untilMs: 20_000, redisLoss: 'forbid' },
] as const

function recordOf(saves: readonly Save[], more: Partial<DrillRecord> = {}): DrillRecord {
  const load = inOrder([phase('load-began', 0), ...saves.flatMap(save), phase('load-ended', 21_000)])
  const store: FinalStore = { rows: [...new Set(saves.map(({ at, key = `k${at}` }) => key))].map(row) }
  const nemesis = [...fault('one', 3_000), phase('healed', 5_000), ...fault('two', 13_000), phase('healed', 15_000)]
  return { load, nemesis, canary: [], settle: [], before: store, after: store, ...more }
}

function judgeAll(record: DrillRecord, windows: readonly DrillWindow[]): readonly Judged[] {
  const judge = createJudge(record, windows)
  return windows.map((window) => judge(window))
}

const kinds = (record: DrillRecord): readonly string[] => judgeAll(record, WINDOWS).map(({ verdict }) => verdict.kind)

test('each fault is judged by its own part of the run', () => {
  const saves = every(100, 19_900)
  expect(kinds(recordOf(saves))).toEqual(['valid', 'valid'])
  const full = recordOf(saves)
  const lost = full.before.rows.filter(({ id }) => id !== 'j1-k14000')
  expect(kinds({ ...full, before: { rows: lost }, after: { rows: lost } })).toEqual(['valid', 'violated'])
})

test('a lost item stays lost even if sending it again saved it', () => {
  const full = recordOf(every(100, 19_900))
  const before = { rows: full.before.rows.filter(({ id }) => id !== 'j1-k4000') }
  const settle = save({ at: 22_000, key: 'k4000', result: 'duplicate' })
  const [one] = judgeAll({ ...full, before, settle }, WINDOWS)
  expect(one?.verdict.checks['nothing-lost']?.kind).toBe('violated')
})

test('a fault without a proof, or a window without writes before it, is inconclusive', () => {
  const nemesis = [
    ...fault('one', 3_000, false),
    phase('healed', 5_000),
    ...fault('two', 13_000),
    phase('healed', 15_000),
  ]
  expect(kinds(recordOf(every(100, 19_900), { nemesis }))).toEqual(['inconclusive', 'valid'])
  expect(kinds(recordOf(every(3_000, 19_900)))).toEqual(['inconclusive', 'valid'])
})

test('writes that failed before the fault make the drill inconclusive', () => {
  expect(kinds(recordOf([...every(100, 19_900), { at: 1_050, error: 'timeout', key: 'k1000' }]))).toEqual([
    'inconclusive',
    'valid',
  ])
})

test('a release that does not recover is a violation', () => {
  const [one] = WINDOWS.map((window) => ({ ...window, missing: '2 primaries' }))
  expect(judgeAll(recordOf(every(100, 8_900)), one === undefined ? [] : [one])[0]?.verdict.kind).toBe('violated')
})

test('a stored item that was never sent is in every part, and one stored twice is in the part of its first request', () => {
  const saves = [
    { at: 1_000, key: 'a' },
    { at: 12_000, key: 'a' },
    { at: 12_500, key: 'b' },
  ]
  const store = { rows: [row('a'), row('b'), row('stranger')] }
  const piece = cut(inOrder(saves.flatMap(save)), store, WINDOWS)
  const [one, two] = WINDOWS.map((window) => piece(window))
  expect(one?.events).toHaveLength(4)
  expect(one?.store.rows.map(({ id }) => id)).toEqual(['j1-a', 'j1-stranger'])
  expect(two?.store.rows.map(({ id }) => id)).toEqual(['j1-b', 'j1-stranger'])
  expect(two?.events.map(({ seq }) => seq)).toEqual([1, 2])
})

/** Returns an acknowledged write of the canary. */
function set(number: number, at: number): readonly Event[] {
  const base = { process: 'canary', op: `set-${number}`, f: 'set', key: 'numbers', seq: 1 } as const
  return [
    { ...base, type: 'invoke', value: String(number), tMono: at, tWall: at },
    { ...base, type: 'ok', tMono: at + 2, tWall: at + 2 },
  ]
}

function found(value: string, at: number): readonly Event[] {
  const base = {
    process: 'canary',
    op: `look-${at}`,
    f: 'members',
    key: 'numbers',
    seq: 1,
    tMono: at,
    tWall: at,
  } as const
  return [
    { ...base, type: 'invoke' },
    { ...base, type: 'ok', value },
  ]
}

/** Returns a lock that one holder holds for `forMs` milliseconds. */
function held(name: string, at: number, forMs: number): readonly Event[] {
  const base = { process: name, op: `${name}-${at}`, f: 'acquire', key: 'canary/0', seq: 1 } as const
  return [
    { ...base, type: 'invoke', tMono: at - 1, tWall: at },
    { ...base, type: 'ok', fence: String(at), tMono: at, tWall: at },
    { ...base, f: 'release', type: 'info', tMono: at + forMs, tWall: at, untilMono: at + forMs },
  ]
}

test('a loss of the canary is a figure of a kill, and violates the promise of a handover', () => {
  const canary = inOrder([
    phase('canary-began', 50),
    ...set(1, 2_990),
    ...set(2, 4_000),
    ...set(3, 14_000),
    ...held('one', 3_500, 1_000),
    ...held('two', 4_000, 100),
    ...held('one', 13_500, 100),
    ...found('2', 22_000),
    phase('canary-ended', 23_000),
  ])
  const [kill, handover] = judgeAll(recordOf(every(100, 19_900), { canary }), WINDOWS)
  expect(kill?.verdict.kind).toBe('valid')
  expect(kill?.verdict.checks['canary-writes']?.figures).toMatchObject({ acknowledged: 2, lost: 1 })
  expect(kill?.verdict.checks['canary-grants']?.figures).toMatchObject({ overlapping: 1 })
  expect(handover?.verdict.checks['canary-writes']?.kind).toBe('violated')
  expect(handover?.verdict.checks['canary-grants']?.kind).toBe('valid')
})

test('overlapping windows cannot be cut', () => {
  expect(() => cut([], { rows: [] }, WINDOWS.toReversed())).toThrow(/window one is out of order/)
})

const TIMES = { fromMs: 0, injectedMs: 3_000, untilMs: 9_000 }

test('an outage has its longest time without an acknowledged write, and its failures by class', () => {
  const good = every(100, 3_000).concat(every(5_000, 9_000))
  const failed = every(3_050, 5_000, 500).map((one) => ({ ...one, error: '503 LOCK_BACKEND_UNAVAILABLE' }))
  const outage = outageOf(inOrder([...good, ...failed].flatMap(save)), TIMES)
  expect(outage.withoutGoodMs).toBe(2_100)
  expect(outage.firstGoodMs).toBe(2_005)
  expect(outage.failingMs).toBe(1_550)
  expect(outage.failures).toEqual({ '503 LOCK_BACKEND_UNAVAILABLE': 4 })
  expect(outage.failedBefore).toBe(0)
})

test('the slowest acknowledged write counts if it ended after the injection, whenever it began', () => {
  const writes = [
    { at: 1_000, tookMs: 1_900 },
    { at: 2_500, tookMs: 1_700 },
    { at: 4_000, tookMs: 300 },
  ]
  expect(outageOf(inOrder(writes.flatMap(save)), TIMES).slowestMs).toBe(1_700)
})

test('without an acknowledged write after the injection the outage lasts to the end', () => {
  const outage = outageOf(inOrder(every(100, 3_000).flatMap(save)), TIMES)
  expect(outage.firstGoodMs).toBeUndefined()
  expect(outage.withoutGoodMs).toBe(6_095)
})

test('a request without a response counts as failed', () => {
  const [invoke] = save({ at: 4_000 })
  const outage = outageOf(
    inOrder([...every(100, 9_000).flatMap(save), ...(invoke === undefined ? [] : [{ ...invoke, op: 'open' }])]),
    TIMES,
  )
  expect(outage.failures).toEqual({ unanswered: 1 })
})
