/** Carries out what `planSchedule` decides. */
import { DRILL_SCHEDULES, FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import { IngotError } from '../../errors/error.ts'
import { isKubeError, type KubeApi } from '../../kube/client/api.ts'
import { apiVersionOf } from '../../kube/client/resource.ts'
import { isSameJson } from '../../kube/runtime/conditions.ts'
import type { Informer } from '../../kube/runtime/informer.ts'
import type { Reconciled } from '../../kube/runtime/work-queue.ts'
import type { Clock } from '../../std/clock.ts'
import type { ScheduleSpec, ScheduleStatus } from '../kinds/drill-schedule.ts'
import { type DrillObject, SCHEDULE_LABEL } from './drill-object.ts'
import type { ScheduleObject } from './schedule-object.ts'
import { planSchedule, type ScheduledDrill, type SchedulePlan, type StartedDrill } from './schedule-plan.ts'
import { scheduleStatus, staleAtMs, unreadyStatus } from './schedule-status.ts'

export interface ScheduleDeps {
  readonly api: KubeApi
  readonly schedules: Informer<ScheduleObject>
  readonly drills: Informer<DrillObject>
  readonly clock: Clock
}

/** A schedule is looked at again after at most so long, in milliseconds: longer timers overflow. */
const LONGEST_MS = 3_600_000

/** Returns the key of the schedule that has made the drill, if any. */
export function scheduleKeyOf({ metadata: { namespace, ownerReferences = [] } }: DrillObject): string | undefined {
  const owner = ownerReferences.find(({ kind, controller }) => kind === DRILL_SCHEDULES.kind && controller === true)
  return owner === undefined ? undefined : `${namespace}/${owner.name}`
}

/** Returns the reconciler of schedules. */
export function createScheduleReconciler(deps: ScheduleDeps) {
  const { api, clock } = deps

  async function carryOut(schedule: ScheduleObject, spec: ScheduleSpec, signal: AbortSignal): Promise<Reconciled> {
    const nowMs = clock.wallMs()
    const { namespace = '', generation = 0 } = schedule.metadata
    const plan = planSchedule(viewOf(schedule, spec, nowMs))
    if (plan.start !== undefined) await start(api, schedule, { spec, start: plan.start }, signal)
    const at = (drill: string) => ({ namespace, name: drill })
    for (const drill of plan.cancel) await api.patch(FAILOVER_DRILLS, at(drill), { spec: { cancel: true } }, signal)
    for (const drill of plan.remove) await api.delete(FAILOVER_DRILLS, at(drill), signal)
    const before = schedule.status.conditions ?? []
    await write(api, schedule, scheduleStatus(spec, plan, before, { generation, nowMs }), signal)
    return { requeueAfterMs: waitMs(spec, plan, nowMs) }
  }

  function viewOf({ metadata, status }: ScheduleObject, spec: ScheduleSpec, nowMs: number) {
    const { namespace, name, creationTimestamp = '' } = metadata
    const { conditions: _conditions, observedGeneration: _generation, ...before } = status
    const own = deps.drills.all().filter((drill) => scheduleKeyOf(drill) === `${namespace}/${name}`)
    return { name, spec, before, createdMs: Date.parse(creationTimestamp) || nowMs, drills: own.map(scheduled), nowMs }
  }

  return async (key: string, signal: AbortSignal): Promise<Reconciled | undefined> => {
    const schedule = deps.schedules.get(key)
    if (schedule === undefined || schedule.metadata.deletionTimestamp !== undefined) return undefined
    const { spec, status, metadata } = schedule
    const moment = { generation: metadata.generation ?? 0, nowMs: clock.wallMs() }
    if ('unreadable' in spec) {
      await write(api, schedule, unreadyStatus(status, 'SpecUnreadable', spec.unreadable, moment), signal)
      return undefined
    }
    try {
      return await carryOut(schedule, spec, signal)
    } catch (cause) {
      if (!(cause instanceof IngotError) || cause.code !== 'CONFIG_INVALID') throw cause
      await write(api, schedule, unreadyStatus(status, 'ScheduleInvalid', cause.message, moment), signal)
      return undefined
    }
  }
}

async function start(
  api: KubeApi,
  { metadata }: ScheduleObject,
  { spec: { template }, start: { name, spec } }: { readonly spec: ScheduleSpec; readonly start: StartedDrill },
  signal: AbortSignal,
): Promise<void> {
  const { kind } = DRILL_SCHEDULES
  const owner = {
    apiVersion: apiVersionOf(DRILL_SCHEDULES),
    kind,
    name: metadata.name,
    uid: metadata.uid ?? '',
    controller: true,
  }
  const labels = { ...template.labels, [SCHEDULE_LABEL]: metadata.name.slice(0, 63).replace(/[-.]+$/, '') }
  const { namespace = '' } = metadata
  const drill = { metadata: { name, namespace, labels, ownerReferences: [owner] }, spec }
  try {
    await api.create(FAILOVER_DRILLS, drill, signal)
  } catch (cause) {
    // this start was not written to the status
    if (!isKubeError(cause, 'KUBE_CONFLICT')) throw cause
  }
}

/** Writes the status if it differs. */
async function write(
  api: KubeApi,
  { metadata, status: before }: ScheduleObject,
  after: ScheduleStatus,
  signal: AbortSignal,
): Promise<void> {
  if (isSameJson(before, after)) return
  const { namespace = '', name, resourceVersion } = metadata
  const gone = Object.keys(before).filter((member) => !(member in after))
  const status = { ...Object.fromEntries(gone.map((member) => [member, null])), ...after }
  await api.patchStatus(DRILL_SCHEDULES, { namespace, name }, { metadata: { resourceVersion }, status }, signal)
}

function scheduled({ metadata, status }: DrillObject): ScheduledDrill {
  const { name, creationTimestamp = '', deletionTimestamp } = metadata
  return { name, createdMs: Date.parse(creationTimestamp) || 0, isDeleted: deletionTimestamp !== undefined, status }
}

/** Drills are looked at when they change; a drill that waits has a deadline of minutes. */
function waitMs(spec: ScheduleSpec, { nextMs, status }: SchedulePlan, nowMs: number): number {
  const times = [nextMs, staleAtMs(spec, status)].filter((ms) => ms !== undefined && ms > nowMs)
  const soonest = Math.min(LONGEST_MS, ...times.map((ms) => (ms ?? 0) - nowMs))
  return status.active === undefined ? soonest : Math.min(soonest, 60_000)
}
