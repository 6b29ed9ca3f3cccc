/** What the operator does next for a schedule: starts a drill, skips a time, deletes old drills, and its status. Pure. */
import type { DrillSpec, ScenarioName } from '../../drill/spec/schema.ts'
import type { DrillStatus } from '../../drill/spec/status.ts'
import { defined } from '../../std/defined.ts'
import { durationOf } from '../../std/duration.ts'
import type { ScheduleSpec, ScheduleStatus } from '../kinds/drill-schedule.ts'
import { nextTime } from './cron.ts'

/** A drill of the schedule. */
export interface ScheduledDrill {
  readonly name: string
  readonly createdMs: number
  readonly isDeleted: boolean
  readonly status: DrillStatus
}

export interface ScheduleView {
  readonly name: string
  readonly spec: ScheduleSpec
  /** The last status. */
  readonly before: Omit<ScheduleStatus, 'conditions' | 'observedGeneration'>
  readonly createdMs: number
  readonly drills: readonly ScheduledDrill[]
  readonly nowMs: number
}

export interface StartedDrill {
  readonly name: string
  readonly spec: DrillSpec
  /** The planned time, in milliseconds since the Unix epoch. */
  readonly plannedMs: number
}

export interface SchedulePlan {
  readonly start: StartedDrill | undefined
  /** Names of drills that did not begin within the deadline. */
  readonly cancel: readonly string[]
  /** Names of drills beyond the limits of the history. */
  readonly remove: readonly string[]
  /** The status after `start`. */
  readonly status: ScheduleView['before']
  /** When something is due again, in milliseconds since the Unix epoch. */
  readonly nextMs: number | undefined
}

const DEFAULTS = { timeZone: 'UTC', startingDeadline: '1h', freshness: '168h', limit: 3 }

export function freshnessMs({ freshness = DEFAULTS.freshness }: ScheduleSpec): number {
  return durationOf(freshness)
}

/** Throws CONFIG_INVALID for a schedule or a time zone that cannot be read. */
export function planSchedule(view: ScheduleView): SchedulePlan {
  const active = view.drills.find(({ status }) => status.phase !== 'Finished')
  const { start, lastScheduled, nextMs } = planTime(view, active !== undefined)
  const { before, spec } = view
  const isSilent = nextMs === undefined || spec.suspend === true
  const status = defined({
    ...resultsOf(view),
    starts: start === undefined ? before.starts : (before.starts ?? 0) + 1,
    lastScheduled,
    lastDrill: start?.name ?? before.lastDrill,
    next: isSilent ? undefined : isoOf(nextMs),
    active: start?.name ?? active?.name,
  })
  return { start, cancel: overdue(view), remove: beyondLimits(view), status, nextMs }
}

interface TimePlan {
  readonly start?: StartedDrill
  readonly lastScheduled: string | undefined
  readonly nextMs: number | undefined
}

/** A time that is suspended, or that came too late, is over. One that finds a drill at work waits for its end. */
function planTime(view: ScheduleView, isBusy: boolean): TimePlan {
  const { spec, before, nowMs } = view
  const due = dueTime(view)
  const waits = { lastScheduled: before.lastScheduled, nextMs: due?.plannedMs }
  if (due === undefined || due.plannedMs > nowMs) return waits
  const handledMs = due.isLate ? nowMs : due.plannedMs
  const over = { lastScheduled: isoOf(handledMs), nextMs: nextOf(spec, handledMs) }
  if (spec.suspend === true || due.isLate) return over
  return isBusy ? waits : { ...over, start: startedAt(view, due.plannedMs) }
}

interface DueTime {
  readonly plannedMs: number
  /** The deadline of its start has passed. */
  readonly isLate: boolean
}

/**
 * Returns the latest planned time that has come and was not handled, else the next one. Times that passed while no operator
 * worked count once.
 */
function dueTime({ spec, before, createdMs, nowMs }: ScheduleView): DueTime | undefined {
  const deadlineMs = durationOf(spec.startingDeadline ?? DEFAULTS.startingDeadline)
  const handledMs = before.lastScheduled === undefined ? createdMs : Date.parse(before.lastScheduled)
  const first = nextOf(spec, handledMs)
  if (first === undefined || first > nowMs) return first === undefined ? undefined : { plannedMs: first, isLate: false }
  const latest = latestWithin(spec, Math.max(first - 1, nowMs - deadlineMs), nowMs)
  return latest === undefined ? { plannedMs: first, isLate: true } : { plannedMs: latest, isLate: false }
}

/**
 * Returns the last time after `afterMs` that is not after `nowMs`. Looks back by steps that grow, because a long deadline
 * may have very many times.
 */
function latestWithin(spec: ScheduleSpec, afterMs: number, nowMs: number): number | undefined {
  for (let backMs = HOUR_MS; ; backMs *= 2) {
    const fromMs = Math.max(afterMs, nowMs - backMs)
    const latest = lastOf(spec, fromMs, nowMs)
    if (latest !== undefined || fromMs === afterMs) return latest
  }
}

function lastOf(spec: ScheduleSpec, fromMs: number, nowMs: number): number | undefined {
  let latest: number | undefined
  for (let next = nextOf(spec, fromMs); next !== undefined && next <= nowMs; next = nextOf(spec, next)) latest = next
  return latest
}

const HOUR_MS = 3_600_000

function nextOf(spec: ScheduleSpec, afterMs: number): number | undefined {
  const { schedule, timeZone = DEFAULTS.timeZone, window } = spec
  return nextTime({ schedule, timeZone, window }, afterMs)
}

function startedAt({ name, spec, before }: ScheduleView, plannedMs: number): StartedDrill {
  const { scenarios = [], faults, template } = spec
  const scenario: ScenarioName | undefined = scenarios[(before.starts ?? 0) % Math.max(1, scenarios.length)]
  const what = scenario === undefined ? defined({ faults }) : { scenario }
  return { name: drillNameOf(name, plannedMs), spec: { ...template.spec, ...what }, plannedMs }
}

/** Returns one name for each planned time, so that a repeated start is the same drill. */
export function drillNameOf(schedule: string, plannedMs: number): string {
  return `${schedule.slice(0, 40).replace(/[-.]+$/, '')}-${Math.floor(plannedMs / 60_000)}`
}

/** Returns what is known of the drills that finished. A pass stays known when its drill is deleted. */
function resultsOf({ before, drills }: ScheduleView): Pick<ScheduleView['before'], 'lastVerdict' | 'lastPassed'> {
  const [last] = finished(drills)
  const passed = finished(drills).find(({ status }) => status.verdict === 'Pass')
  const at = passed?.status.finishedAt
  const isNewer = at !== undefined && (before.lastPassed === undefined || at > before.lastPassed.at)
  return defined({
    lastVerdict: last?.status.verdict ?? before.lastVerdict,
    lastPassed: isNewer ? { name: passed?.name ?? '', at } : before.lastPassed,
  })
}

/** Returns the drills that finished, the latest one first. */
function finished(drills: readonly ScheduledDrill[]): readonly ScheduledDrill[] {
  const endOf = ({ status }: ScheduledDrill): string => status.finishedAt ?? ''
  return drills.filter(({ status }) => status.phase === 'Finished').toSorted((a, b) => (endOf(a) < endOf(b) ? 1 : -1))
}

/** Returns drills that wait for a start since before the deadline. */
function overdue({ spec, drills, nowMs }: ScheduleView): readonly string[] {
  const deadlineMs = durationOf(spec.startingDeadline ?? DEFAULTS.startingDeadline)
  return drills
    .filter(({ status, createdMs, isDeleted }) => {
      const isWaiting = (status.phase ?? 'Pending') === 'Pending' && status.job === undefined
      return isWaiting && !isDeleted && nowMs - createdMs > deadlineMs
    })
    .map(({ name }) => name)
}

/** A drill with steps left to undo is kept. */
function beyondLimits({ spec, drills }: ScheduleView): readonly string[] {
  const { successfulHistoryLimit = DEFAULTS.limit, failedHistoryLimit = DEFAULTS.limit } = spec
  const old = finished(drills).filter(({ isDeleted, status }) => !isDeleted && (status.undo ?? []).length === 0)
  const passed = old.filter(({ status }) => status.verdict === 'Pass')
  const others = old.filter(({ status }) => status.verdict !== 'Pass')
  return [...passed.slice(successfulHistoryLimit), ...others.slice(failedHistoryLimit)].map(({ name }) => name)
}

function isoOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
