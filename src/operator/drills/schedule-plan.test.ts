import { describe, expect, test } from 'vitest'
import type { DrillStatus } from '../../drill/spec/status.ts'
import type { ScheduleSpec } from '../kinds/drill-schedule.ts'
import { drillNameOf, planSchedule, type ScheduledDrill, type ScheduleView } from './schedule-plan.ts'
import { scheduleStatus, unreadyStatus } from './schedule-status.ts'

const at = (time: string): number => Date.parse(`2026-01-05T${time}Z`)
const SPEC: ScheduleSpec = {
  schedule: '0 3 * * *',
  scenarios: ['D1', 'D2', 'D3'],
  template: { spec: { target: { release: 'shop' }, load: { rate: 40 } } },
}

function viewAt(time: string, more: Partial<ScheduleView> = {}): ScheduleView {
  return { name: 'nightly', spec: SPEC, before: {}, createdMs: at('00:00:00'), drills: [], nowMs: at(time), ...more }
}

function drill(name: string, status: DrillStatus, more: Partial<ScheduledDrill> = {}): ScheduledDrill {
  return { name, createdMs: at('03:00:00'), isDeleted: false, status, ...more }
}

const passed = (name: string, finishedAt: string) => drill(name, { phase: 'Finished', verdict: 'Pass', finishedAt })
const failed = (name: string, finishedAt: string) => drill(name, { phase: 'Finished', verdict: 'Fail', finishedAt })

describe('a start', () => {
  test('waits for its time, and takes the template', () => {
    expect(planSchedule(viewAt('02:59:59'))).toMatchObject({
      start: undefined,
      status: { next: '2026-01-05T03:00:00Z' },
    })
    const { start, status } = planSchedule(viewAt('03:00:00'))
    expect(start?.spec).toEqual({ target: { release: 'shop' }, load: { rate: 40 }, scenario: 'D1' })
    expect(status).toEqual({
      starts: 1,
      lastScheduled: '2026-01-05T03:00:00Z',
      lastDrill: start?.name,
      active: start?.name,
      next: '2026-01-06T03:00:00Z',
    })
  })

  test('happens once for each time, and has one name', () => {
    const { status, start } = planSchedule(viewAt('03:00:00'))
    const again = viewAt('03:00:05', { before: status, drills: [drill(start?.name ?? '', {})] })
    expect(planSchedule(again).start).toBeUndefined()
    expect(planSchedule(viewAt('03:00:09')).start?.name).toBe(start?.name)
    expect(drillNameOf('x'.repeat(200), at('03:00:00')).length).toBeLessThan(53)
  })

  test('takes the scenarios in rotation, or the faults', () => {
    const scenarioAfter = (starts: number) =>
      planSchedule(viewAt('03:00:00', { before: { starts } })).start?.spec.scenario
    expect([0, 1, 2, 3].map(scenarioAfter)).toEqual(['D1', 'D2', 'D3', 'D1'])
    const { scenarios: _scenarios, ...rest } = SPEC
    const faults: ScheduleSpec['faults'] = [{ name: 'kill', action: 'Kill', target: { component: 'redis' } }]
    const { start } = planSchedule(viewAt('03:00:00', { spec: { ...rest, faults } }))
    expect(start?.spec).toMatchObject({ faults })
    expect(start?.spec).not.toHaveProperty('scenario')
  })

  test('waits while a drill of the schedule works, and comes when it has ended', () => {
    const active = drill('nightly-1', { phase: 'Faults' })
    const waiting = planSchedule(viewAt('03:10:00', { drills: [active] }))
    expect(waiting).toMatchObject({ start: undefined, status: { active: 'nightly-1' } })
    const ended = viewAt('03:20:00', { drills: [passed('nightly-1', '2026-01-05T03:15:00Z')], before: waiting.status })
    expect(planSchedule(ended).start).toBeDefined()
  })

  test('is skipped after its deadline, and when the schedule is suspended', () => {
    const late = planSchedule(viewAt('04:00:01'))
    expect(late.start).toBeUndefined()
    expect(late.status).toEqual({ lastScheduled: '2026-01-05T04:00:01Z', next: '2026-01-06T03:00:00Z' })
    const suspended = planSchedule(viewAt('03:00:00', { spec: { ...SPEC, suspend: true } }))
    expect(suspended.start).toBeUndefined()
    expect(suspended.status).toEqual({ lastScheduled: '2026-01-05T03:00:00Z' })
  })

  test('counts times that passed without an operator once', () => {
    const spec = { ...SPEC, schedule: '*/10 * * * *', startingDeadline: '8784h' }
    const { start } = planSchedule(viewAt('03:05:00', { spec, createdMs: at('00:00:00') - 200 * 86_400_000 }))
    expect(start?.plannedMs).toBe(at('03:00:00'))
  })
})

describe('the history', () => {
  test('keeps the latest drills of each verdict, and none with steps left to undo', () => {
    const days = ['01', '02', '03', '04', '05']
    const drills = [
      ...days.map((day) => passed(`pass-${day}`, `2026-01-${day}T03:00:00Z`)),
      ...days.map((day) => failed(`fail-${day}`, `2026-01-${day}T04:00:00Z`)),
      drill('stuck', {
        phase: 'Finished',
        verdict: 'Aborted',
        finishedAt: '2025-01-01T00:00:00Z',
        undo: [{ id: '1', fault: 'a', kind: 'Thaw', args: {} }],
      }),
    ]
    const spec = { ...SPEC, successfulHistoryLimit: 1, failedHistoryLimit: 4 }
    expect(planSchedule(viewAt('02:00:00', { drills, spec })).remove).toEqual([
      'pass-04',
      'pass-03',
      'pass-02',
      'pass-01',
      'fail-01',
    ])
  })

  test('a pass stays known when its drill is deleted', () => {
    const { status } = planSchedule(viewAt('02:00:00', { drills: [passed('one', '2026-01-04T03:30:00Z')] }))
    expect(status).toMatchObject({ lastVerdict: 'Pass', lastPassed: { name: 'one', at: '2026-01-04T03:30:00Z' } })
    const later = viewAt('02:00:00', { before: status, drills: [failed('two', '2026-01-05T01:00:00Z')] })
    expect(planSchedule(later).status).toMatchObject({ lastVerdict: 'Fail', lastPassed: { name: 'one' } })
  })

  test('a drill that waits beyond the deadline is cancelled', () => {
    const waiting = drill('waiting', { phase: 'Pending', reason: 'TargetBusy' })
    expect(planSchedule(viewAt('04:00:00', { drills: [waiting] })).cancel).toEqual([])
    expect(planSchedule(viewAt('04:00:01', { drills: [waiting] })).cancel).toEqual(['waiting'])
    const started = drill('started', { phase: 'Pending', job: 'started-run' })
    expect(planSchedule(viewAt('05:00:00', { drills: [started] })).cancel).toEqual([])
  })
})

describe('the conditions', () => {
  const reasons = (view: ScheduleView) => {
    const { conditions = [] } = scheduleStatus(view.spec, planSchedule(view), [], { generation: 1, nowMs: view.nowMs })
    return Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]))
  }

  test('say whether a pass is fresh, the last verdict, and the next start', () => {
    expect(reasons(viewAt('02:00:00'))).toEqual({
      Fresh: 'False NeverPassed',
      Healthy: 'Unknown NotYet',
      Ready: 'True Scheduled',
    })
    const drills = [passed('one', '2026-01-05T01:00:00Z')]
    const spec = { ...SPEC, freshness: '2h' }
    expect(reasons(viewAt('02:59:59', { drills, spec }))).toMatchObject({ Fresh: 'True Passed', Healthy: 'True Pass' })
    expect(reasons(viewAt('03:00:00', { drills, spec }))).toMatchObject({ Fresh: 'False Stale' })
    expect(reasons(viewAt('02:00:00', { spec: { ...SPEC, suspend: true } }))['Ready']).toBe('False Suspended')
    const never = { ...SPEC, window: { from: '04:00', to: '05:00' } }
    expect(reasons(viewAt('02:00:00', { spec: never }))['Ready']).toBe('False NoTime')
  })

  test('a schedule that cannot be read keeps what is known', () => {
    const before = { lastVerdict: 'Pass' as const, next: '2026-01-05T03:00:00Z' }
    const status = unreadyStatus(before, 'ScheduleInvalid', 'no time zone', { generation: 2, nowMs: 0 })
    expect(status).toMatchObject({ lastVerdict: 'Pass', conditions: [{ type: 'Ready', status: 'False' }] })
    expect(status).not.toHaveProperty('next')
  })
})
