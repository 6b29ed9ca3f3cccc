import fc from 'fast-check'
import { Value } from 'typebox/value'
import { expect, test } from 'vitest'
import type { Condition } from '../../kube/runtime/conditions.ts'
import { type DrillFacts, drillStatus } from './conditions.ts'
import { ACTIONS } from './schema.ts'
import { DRILL_STATUS, type DrillStatus, PHASES, UNDO_KINDS, VERDICTS } from './status.ts'

const AT = { generation: 3, wallMs: Date.UTC(2026, 0, 2, 3, 4, 5) }
const time = fc.constantFrom('2026-01-02T03:04:05Z', '2026-01-02T03:05:05Z')

const FAULTS = fc.array(
  fc.record(
    {
      name: fc.constantFrom('one', 'two'),
      action: fc.constantFrom(...ACTIONS),
      state: fc.constantFrom('Pending' as const, 'Injected', 'Proven', 'Unproven', 'Refused'),
      struckAt: time,
      proof: fc.string({ maxLength: 20 }),
    },
    { requiredKeys: ['name', 'action', 'state'] },
  ),
  { maxLength: 3 },
)

const UNDO = fc.array(
  fc.record({
    id: fc.constantFrom('a', 'b'),
    fault: fc.constantFrom('one', 'two'),
    kind: fc.constantFrom(...UNDO_KINDS),
    args: fc.constant({ pod: 'redis-0' }),
  }),
  { maxLength: 3 },
)

/** Any facts, contradictory ones included. */
const FACTS: fc.Arbitrary<DrillFacts> = fc.record(
  {
    phase: fc.constantFrom(...PHASES),
    verdict: fc.constantFrom(...VERDICTS),
    reason: fc.constantFrom('', 'UndoFailed', 'NotRecovered', 'TargetBusy', 'x'.repeat(500)),
    message: fc.constantFrom('', 'a sentence', 'x'.repeat(9_000)),
    startedAt: time,
    finishedAt: time,
    job: fc.constant('drill-run'),
    faults: FAULTS,
    undo: UNDO,
  },
  { requiredKeys: [] },
)

function statusesOf(conditions: readonly Condition[] = []): Readonly<Record<string, string>> {
  return Object.fromEntries(conditions.map(({ type, status }) => [type, status]))
}

type Check = (status: DrillStatus, is: Readonly<Record<string, string>>) => boolean

const CONDITIONS = ['Accepted', 'Steady', 'Struck', 'Recovered', 'Judged', 'Finished', 'Passed']
const isOver = ({ phase }: DrillStatus): boolean => phase === 'Finished'
const isLeft = ({ undo = [] }: DrillStatus): boolean => undo.length > 0
const isPass = ({ verdict }: DrillStatus): boolean => verdict === 'Pass'

const CHECKS: Readonly<Record<string, Check>> = {
  'the schema': (status) => Value.Check(DRILL_STATUS, status),
  'verdict and phase': (status) => (status.verdict !== undefined) === isOver(status),
  'finishedAt and phase': (status) => (status.finishedAt !== undefined) === isOver(status),
  'Finished and phase': (status, is) => (is['Finished'] === 'True') === isOver(status),
  'Passed and verdict': (status, is) => (is['Passed'] === 'True') === isPass(status),
  'Passed and phase': (status, is) => (is['Passed'] === 'Unknown') === !isOver(status),
  'Judged and verdict': ({ verdict }, is) => (is['Judged'] === 'True') === (verdict === 'Pass' || verdict === 'Fail'),
  'undo and reason': (status) => !isOver(status) || isLeft(status) === (status.reason === 'UndoFailed'),
  'undo and Recovered': (status, is) => !isOver(status) || !isLeft(status) || is['Recovered'] === 'False',
  'undo and Pass': (status) => !isPass(status) || !isLeft(status),
  'faults and Pass': (status) =>
    !isPass(status) ||
    (status.faults?.length !== 0 && status.faults?.every(({ state }) => state === 'Proven') === true),
  'Pass and conditions': (status, is) => !isPass(status) || CONDITIONS.slice(1).every((type) => is[type] === 'True'),
  'Struck and Steady': (_status, is) => is['Struck'] !== 'True' || is['Steady'] === 'True',
  'seven conditions': (_status, is) => Object.keys(is).toSorted().join() === CONDITIONS.toSorted().join(),
  'reasons are words': ({ conditions = [] }) => conditions.every(({ reason }) => /^\w+$/.test(reason)),
}

/** Returns what contradicts in a status. */
function contradictions(status: DrillStatus): readonly string[] {
  const is = statusesOf(status.conditions)
  return Object.entries(CHECKS).flatMap(([rule, check]) => (check(status, is) ? [] : [rule]))
}

test('no two fields of a status contradict each other, whatever the facts', () => {
  fc.assert(
    fc.property(FACTS, FACTS, (first, second) => {
      const before = drillStatus(first, [], AT)
      const status = drillStatus(second, before.conditions ?? [], { ...AT, wallMs: AT.wallMs + 5_000 })
      expect(contradictions(status)).toEqual([])
    }),
    { numRuns: 2_000 },
  )
})

test.each<[string, (status: DrillStatus) => DrillStatus]>([
  ['Passed and verdict', (status) => ({ ...status, verdict: 'Fail' })],
  ['verdict and phase', (status) => ({ ...status, phase: 'Judging' })],
  ['undo and Pass', (status) => ({ ...status, undo: [{ id: '1', fault: 'one', kind: 'Resume', args: {} }] })],
  ['faults and Pass', (status) => ({ ...status, faults: [] })],
])('a status with a wrong field is seen to contradict itself: %s', (rule, wrong) => {
  const faults = [{ name: 'one', action: 'Kill' as const, state: 'Proven' as const }]
  const right = drillStatus({ verdict: 'Pass', job: 'one-run', faults }, [], AT)
  expect(contradictions(right)).toEqual([])
  expect(contradictions(wrong(right))).toContain(rule)
})

test('a status of the same facts is the same, with its transition times', () => {
  fc.assert(
    fc.property(FACTS, (facts) => {
      const once = drillStatus(facts, [], AT)
      const { conditions, ...rest } = drillStatus(once, once.conditions ?? [], { ...AT, wallMs: AT.wallMs + 60_000 })
      expect(conditions).toEqual(once.conditions)
      expect({ ...rest, conditions }).toEqual(once)
    }),
  )
})

test('a pass with a step left to undo is inconclusive, and says which step', () => {
  const faults = [{ name: 'hold', action: 'Pause' as const, state: 'Proven' as const }]
  const undo = [{ id: '1', fault: 'hold', kind: 'Resume' as const, args: { pod: 'redis-0' } }]
  const status = drillStatus({ phase: 'Finished', verdict: 'Pass', faults, undo }, [], AT)
  expect(status).toMatchObject({ verdict: 'Inconclusive', reason: 'UndoFailed' })
  expect(status.message).toContain('Resume of the fault hold')
})

test('a drill that waits is not accepted, for the reason of its wait', () => {
  const facts = { phase: 'Pending' as const, reason: 'TargetBusy', message: 'the drill other runs' }
  const { conditions = [] } = drillStatus(facts, [], AT)
  expect(conditions.find(({ type }) => type === 'Accepted')).toMatchObject({ status: 'False', reason: 'TargetBusy' })
  const { conditions: later = [] } = drillStatus({ ...facts, job: 'one-run' }, conditions, AT)
  expect(later.find(({ type }) => type === 'Accepted')).toMatchObject({ status: 'True' })
})
