import { describe, expect, test } from 'vitest'
import { findingOf, inconclusive } from '../checkers/verdict.ts'
import type { Event } from '../history.ts'
import type { Judged } from '../report/judge.ts'
import type { Criteria } from '../spec/schema.ts'
import { type Evidence, evaluate } from './criteria.ts'
import type { RoleSample } from './sampler.ts'

const INJECTED_MS = 10_000

function save(atMs: number, tookMs = 5, error?: string): readonly Event[] {
  const base = { seq: 1, process: 'vu', op: `op-${atMs}`, f: 'save', key: `k${atMs}` } as const
  const end = error === undefined ? { type: 'ok' as const } : { type: 'info' as const, error }
  return [
    { ...base, type: 'invoke', tMono: atMs, tWall: atMs },
    { ...base, ...end, tMono: atMs + tookMs, tWall: atMs + tookMs },
  ]
}

const fault = (atMs: number): Event => ({
  seq: 1,
  process: 'nemesis',
  op: 'fault-kill',
  f: 'fault',
  key: 'kill',
  type: 'ok',
  tMono: atMs,
  tWall: atMs,
})

const sample = (writable: readonly string[], unsynced: readonly string[] = []): RoleSample => ({
  atMs: 0,
  primaries: writable,
  writable,
  unsynced,
  servers: 3,
})

const example = { says: 'lost', events: [] }

interface Given {
  readonly events?: readonly Event[]
  readonly outage?: Partial<Judged['outage']>
  readonly checks?: Judged['verdict']['checks']
  readonly samples?: readonly RoleSample[]
}

function evidence({ events = [], outage = {}, checks = {}, samples = [sample(['r0'])] }: Given = {}): Evidence {
  const none = {
    writes: 0,
    withoutGoodMs: 0,
    slowestMs: 0,
    failingMs: 0,
    failures: {},
    writesBefore: 0,
    failedBefore: 0,
  }
  const window = { name: 'd', fromMs: 0, injectedMs: INJECTED_MS, untilMs: 99_000, redisLoss: 'allow' } as const
  const judged = { window, events, outage: { ...none, ...outage }, verdict: { kind: 'valid', checks } } as const
  return { judged, samples, shards: 1, injectedMs: INJECTED_MS }
}

const WHOLE: Given = { events: [fault(12_000), ...save(12_500)], checks: { 'nothing-lost': findingOf([], {}) } }

function only(criteria: Criteria, given: Given) {
  const [name = ''] = Object.keys(criteria)
  return evaluate(criteria, evidence({ ...WHOLE, ...given })).filter((one) => one.name.startsWith(name))
}

describe('a criterion is met up to its limit', () => {
  const outage = { withoutGoodMs: 4_000, failures: { reset: 2, READONLY: 1 } }
  test.each<[string, Criteria, Given, boolean]>([
    ['no loss', { lostItems: 0 }, {}, true],
    ['one loss', { lostItems: 0 }, { checks: { 'nothing-lost': findingOf([example], {}) } }, false],
    ['one loss that is allowed', { lostItems: 1 }, { checks: { 'nothing-lost': findingOf([example], {}) } }, true],
    ['a pause', { unavailable: '4s' }, { outage }, true],
    ['a longer pause', { unavailable: '3999ms' }, { outage }, false],
    ['failed writes', { failedWrites: 3 }, { outage }, true],
    ['more failed writes', { failedWrites: 2 }, { outage }, false],
    [
      'a loss of Redis as a figure',
      { redisLoss: 'Report' },
      { checks: { 'canary-writes': findingOf([], { lost: 7 }) } },
      true,
    ],
    ['a loss of Redis', { redisLoss: 'Forbid' }, { checks: { 'canary-writes': findingOf([], { lost: 7 }) } }, false],
    ['one writable primary', { onePrimary: true }, { samples: [sample(['r0']), sample([]), sample(['r1'])] }, true],
    ['two writable primaries', { onePrimary: true }, { samples: [sample(['r0', 'r1'])] }, false],
    ['a promotion without data', { onePrimary: true }, { samples: [sample(['r1'], ['r1'])] }, false],
    ['a quick recovery', { recoveredWithin: '505ms' }, {}, true],
    ['a slow recovery', { recoveredWithin: '504ms' }, {}, false],
    ['no recovery', { recoveredWithin: '1m' }, { events: [fault(12_000)] }, false],
    ['quick writes before the fault', { latency: '5ms' }, { events: [...save(1), fault(12_000)] }, true],
    ['slow writes before the fault', { latency: '4ms' }, { events: [...save(1), fault(12_000)] }, false],
  ])('%s', (_, criteria, given, isMet) => {
    expect(only(criteria, given)).toMatchObject([{ met: isMet }])
  })
})

test('errors have a limit for each class, in number and in time', () => {
  const events = [
    fault(12_000),
    ...save(10_500, 100, 'READONLY'),
    ...save(12_600, 400, '503 LOCK READONLY'),
    ...save(13_000),
  ]
  const of = (errors: NonNullable<Criteria['errors']>) => only({ errors }, { events })
  expect(of({ READONLY: { max: 2, within: '3s' } })).toMatchObject([{ met: true }])
  expect(of({ READONLY: { max: 1 } })).toMatchObject([{ met: false, seen: '2, the last one after 3.0 s' }])
  expect(of({ READONLY: { within: '2999ms' } })).toMatchObject([{ met: false }])
  expect(of({ READ: { max: 0 }, MOVED: { max: 0 } })).toMatchObject([{ met: true }, { met: true }])
})

describe('a criterion that cannot be judged says why', () => {
  test.each<[Criteria, Given, string]>([
    [
      { lostItems: 0 },
      { checks: { 'nothing-lost': inconclusive('the store cannot be read') } },
      'the store cannot be read',
    ],
    [{ redisLoss: 'Forbid' }, {}, 'there was no canary'],
    [{ onePrimary: true }, { samples: [] }, 'no sample of the roles'],
    [{ recoveredWithin: '1s' }, { events: [] }, 'no fault ended'],
    [{ latency: '1s' }, { events: [fault(12_000)] }, 'no write was acknowledged before'],
  ])('%j', (criteria, given, why) => {
    expect(only(criteria, given)).toEqual([
      { name: expect.any(String) as string, unknown: expect.stringContaining(why) as string },
    ])
  })
})
