import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PHASES, type UndoStep } from '../../drill/spec/status.ts'
import { ABORT_REASONS } from './drill-object.ts'
import { ABORT_MS, type Decision, type DrillView, planDrill } from './plan.ts'

const STEP: UndoStep = { id: '1', fault: 'hold', kind: 'Resume', args: {} }
const NOW = 1_000_000

const RUNNING: DrillView = {
  status: { phase: 'Faults', startedAt: '2026-01-02T03:04:05Z', job: 'one-run' },
  hasFinalizer: false,
  isDeleted: false,
  isCancelled: false,
  isStopped: false,
  isDisabled: false,
  obstacle: undefined,
  abort: undefined,
  runner: { kind: 'active' },
  undo: { attempts: 0, isActive: false, endedMs: 0 },
  nowMs: NOW,
}
const DIED: DrillView = { ...RUNNING, runner: { kind: 'ended', why: 'it was killed' } }
const withUndo = (view: DrillView): DrillView => ({ ...view, status: { ...view.status, undo: [STEP] } })

const VIEWS: fc.Arbitrary<DrillView> = fc.record({
  status: fc
    .record(
      {
        phase: fc.constantFrom(...PHASES),
        startedAt: fc.constant('2026-01-02T03:04:05Z'),
        undo: fc.constantFrom<UndoStep[]>([], [STEP]),
      },
      { requiredKeys: [] },
    )
    .map((status) => (status.phase === 'Finished' ? { ...status, verdict: 'Fail' as const } : status)),
  hasFinalizer: fc.boolean(),
  isDeleted: fc.boolean(),
  isCancelled: fc.boolean(),
  isStopped: fc.boolean(),
  isDisabled: fc.boolean(),
  obstacle: fc.constantFrom(undefined, { reason: 'ReleaseMissing', message: 'none' }),
  abort: fc.constantFrom(undefined, ...ABORT_REASONS.map((reason) => ({ reason, atMs: NOW - ABORT_MS / 2 }))),
  runner: fc.constantFrom<DrillView['runner']>(
    { kind: 'absent' },
    { kind: 'active' },
    { kind: 'leaving' },
    { kind: 'lost', why: 'x' },
    { kind: 'ended', why: 'x' },
  ),
  undo: fc.record({ attempts: fc.nat(3), isActive: fc.boolean(), endedMs: fc.constantFrom(0, NOW) }),
  nowMs: fc.constant(NOW),
})

type Rule = (view: DrillView, decision: Decision) => boolean

const isLeft = ({ status }: DrillView): boolean => (status.undo ?? []).length > 0
const works = ({ runner, undo }: DrillView): boolean =>
  runner.kind === 'active' || runner.kind === 'leaving' || undo.isActive
const isOneOf = (decision: Decision, ...kinds: readonly Decision['kind'][]): boolean => kinds.includes(decision.kind)
const mayStart = ({ isDeleted, isCancelled, isStopped, isDisabled, obstacle, status }: DrillView): boolean =>
  !isDeleted && !isCancelled && !isStopped && !isDisabled && obstacle === undefined && status.startedAt === undefined

const RULES: Readonly<Record<string, Rule>> = {
  'the status is written only while no Job works': (view, decision) =>
    !works(view) || isOneOf(decision, 'nothing', 'abort', 'end', 'close'),
  'a drill is over only when nothing is left to undo': (view, decision) =>
    !isLeft(view) || !isOneOf(decision, 'finish', 'close', 'hold', 'start'),
  'what is left is undone when no Job works': (view, decision) =>
    !isLeft(view) || works(view) || isOneOf(decision, 'undo', 'reportLeft', 'end') || view.undo.attempts > 0,
  'an undo begins only for a runner that cannot work': (view, decision) =>
    decision.kind !== 'undo' || view.runner.kind === 'ended' || view.runner.kind === 'absent',
  'a runner starts only where it may': (view, decision) => decision.kind !== 'start' || mayStart(view),
  'a runner that died has a verdict': (view, decision) =>
    view.runner.kind !== 'ended' || works(view) || isLeft(view) || isOneOf(decision, 'finish', 'close'),
  'the operator gives no verdict on items': (_view, decision) =>
    decision.kind !== 'finish' || decision.verdict === 'Inconclusive' || decision.verdict === 'Aborted',
}

/** Returns the rules that the planner breaks for some view. */
function brokenBy(plan: (view: DrillView) => Decision): readonly string[] {
  return Object.entries(RULES).flatMap(([name, rule]) => {
    const { failed } = fc.check(
      fc.property(VIEWS, (view) => rule(view, plan(view))),
      { numRuns: 3_000, seed: 7 },
    )
    return failed ? [name] : []
  })
}

test('the plan keeps its rules for every view', () => {
  expect(brokenBy(planDrill)).toEqual([])
})

describe('a planner that breaks a rule is found', () => {
  const nothing: Decision = { kind: 'nothing' }
  const instead = (kind: Decision['kind'], other: Decision) => (view: DrillView) => {
    const decision = planDrill(view)
    return decision.kind === kind ? other : decision
  }
  test.each<[string, (view: DrillView) => Decision, string]>([
    [
      'one that gives the verdict before the undo',
      instead('undo', { kind: 'finish', verdict: 'Inconclusive', reason: 'RunnerDied', message: '' }),
      'a drill is over only when nothing is left to undo',
    ],
    ['one that forgets the undo', instead('undo', nothing), 'what is left is undone when no Job works'],
    [
      'one that undoes beside the runner',
      (view) => (isLeft(view) ? { kind: 'undo', attempt: 1, why: '' } : planDrill(view)),
      'an undo begins only for a runner that cannot work',
    ],
    ['one that starts what is held', instead('hold', { kind: 'start' }), 'a runner starts only where it may'],
    ['one that waits for a dead runner', instead('finish', nothing), 'a runner that died has a verdict'],
    [
      'one that passes a drill without a runner',
      instead('finish', { kind: 'finish', verdict: 'Pass', reason: '', message: '' }),
      'the operator gives no verdict on items',
    ],
    [
      'one that writes beside the runner',
      instead('abort', { kind: 'hold', obstacle: { reason: '', message: '' } }),
      'the status is written only while no Job works',
    ],
  ])('%s', (_what, plan, rule) => {
    expect(brokenBy(plan)).toContain(rule)
  })
})

describe('a running drill', () => {
  test.each([
    ['Deleted', { isDeleted: true, isCancelled: true }],
    ['Cancelled', { isCancelled: true, isStopped: true }],
    ['Stopped', { isStopped: true, isDisabled: true }],
    ['Disabled', { isDisabled: true }],
  ] as const)('aborts with the reason %s', (reason, facts) => {
    expect(planDrill({ ...RUNNING, ...facts })).toEqual({ kind: 'abort', reason })
  })

  test('is asked once, and its Job is deleted when it does not end', () => {
    const aborting = (atMs: number): DrillView => ({
      ...RUNNING,
      isCancelled: true,
      abort: { reason: 'Cancelled', atMs },
    })
    expect(planDrill(aborting(NOW - ABORT_MS + 1)).kind).toBe('nothing')
    expect(planDrill(aborting(NOW - ABORT_MS)).kind).toBe('end')
  })

  test('goes on when its namespace no longer allows drills: only the stop annotation ends it', () => {
    expect(planDrill({ ...RUNNING, obstacle: { reason: 'NamespaceClosed', message: '' } }).kind).toBe('nothing')
  })
})

describe('a drill whose runner died', () => {
  test('is undone at once, and again after growing pauses', () => {
    expect(planDrill(withUndo(DIED))).toEqual({ kind: 'undo', attempt: 1, why: 'it was killed' })
    const failed = (attempts: number, agoMs: number): DrillView => {
      const undo = { attempts, isActive: false, endedMs: NOW - agoMs }
      const view = withUndo({ ...DIED, undo })
      const left = planDrill(view)
      return { ...view, status: { ...view.status, message: left.kind === 'reportLeft' ? left.message : '' } }
    }
    expect(planDrill(failed(1, 999)).kind).toBe('nothing')
    expect(planDrill(failed(1, 1_000))).toMatchObject({ kind: 'undo', attempt: 2 })
    expect(planDrill(failed(3, 3_999)).kind).toBe('nothing')
    expect(planDrill(failed(3, 4_000))).toMatchObject({ kind: 'undo', attempt: 4 })
    expect(planDrill(failed(20, 60_000))).toMatchObject({ kind: 'undo', attempt: 21 })
  })

  test('says why, or that it was aborted', () => {
    expect(planDrill(DIED)).toMatchObject({ verdict: 'Inconclusive', reason: 'RunnerDied' })
    const aborted = planDrill({ ...DIED, abort: { reason: 'Stopped', atMs: 0 } })
    expect(aborted).toMatchObject({ verdict: 'Aborted', reason: 'Stopped' })
  })
})
