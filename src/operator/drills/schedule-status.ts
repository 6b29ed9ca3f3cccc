/** Conditions of a schedule. Pure. */
import { type Condition, type Observation, withConditions } from '../../kube/runtime/conditions.ts'
import type { ScheduleSpec, ScheduleStatus } from '../kinds/drill-schedule.ts'
import { freshnessMs, type SchedulePlan } from './schedule-plan.ts'

interface Moment {
  readonly generation: number
  readonly nowMs: number
}

type Judgement = Pick<Observation, 'status' | 'reason' | 'message'>

/** Returns the status of a schedule that was planned. `before` are its last conditions. */
export function scheduleStatus(
  spec: ScheduleSpec,
  { status, nextMs }: SchedulePlan,
  before: readonly Condition[],
  { generation, nowMs }: Moment,
): ScheduleStatus {
  const judged = { Fresh: fresh(spec, status, nowMs), Healthy: healthy(status), Ready: ready(spec, nextMs) }
  const observed = Object.entries(judged).map(([type, one]) => ({ type, ...one, observedGeneration: generation }))
  return { ...status, observedGeneration: generation, conditions: [...withConditions(before, observed, nowMs)] }
}

/** Returns the status of a schedule that cannot be carried out, for this reason. */
export function unreadyStatus(before: ScheduleStatus, reason: string, message: string, moment: Moment): ScheduleStatus {
  const { generation, nowMs } = moment
  const observed = { type: 'Ready', status: 'False' as const, reason, message, observedGeneration: generation }
  const { next: _next, ...kept } = before
  return {
    ...kept,
    observedGeneration: generation,
    conditions: [...withConditions(before.conditions ?? [], [observed], nowMs)],
  }
}

/** Returns when the pass is no longer fresh, in milliseconds since the Unix epoch. */
export function staleAtMs(spec: ScheduleSpec, { lastPassed }: SchedulePlan['status']): number | undefined {
  return lastPassed === undefined ? undefined : Date.parse(lastPassed.at) + freshnessMs(spec)
}

function fresh(spec: ScheduleSpec, status: SchedulePlan['status'], nowMs: number): Judgement {
  const { lastPassed } = status
  const untilMs = staleAtMs(spec, status)
  const { freshness = '168h' } = spec
  if (lastPassed === undefined || untilMs === undefined) {
    return { status: 'False', reason: 'NeverPassed', message: 'no drill of this schedule has passed yet' }
  }
  if (nowMs < untilMs) return { status: 'True', reason: 'Passed', message: `the drill ${lastPassed.name} passed` }
  return { status: 'False', reason: 'Stale', message: `the last drill that passed is older than ${freshness}` }
}

function healthy({ lastVerdict }: SchedulePlan['status']): Judgement {
  if (lastVerdict === undefined) return { status: 'Unknown', reason: 'NotYet', message: 'no drill has finished yet' }
  const message = `the verdict of the last drill is ${lastVerdict}`
  return { status: lastVerdict === 'Pass' ? 'True' : 'False', reason: lastVerdict, message }
}

function ready({ suspend, schedule, window }: ScheduleSpec, nextMs: number | undefined): Judgement {
  if (suspend === true) return { status: 'False', reason: 'Suspended', message: 'spec.suspend is set: no drill starts' }
  if (nextMs !== undefined) return { status: 'True', reason: 'Scheduled', message: 'the next drill is planned' }
  const where = window === undefined ? '' : ` between ${window.from} and ${window.to}`
  return { status: 'False', reason: 'NoTime', message: `"${schedule}" has no time${where}: correct schedule or window` }
}
