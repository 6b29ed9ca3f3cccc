/** The controllers of drills and schedules: their caches in every process, their work in the one that leads. */
import { DRILL_SCHEDULES, FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import type { KubeApi } from '../../kube/client/api.ts'
import { type KubeObject, keyOf, type Resource } from '../../kube/client/resource.ts'
import { type ControllerOptions, connectSources, runController, sourceOf } from '../../kube/runtime/controller.ts'
import type { EventRecorder } from '../../kube/runtime/event-recorder.ts'
import type { Informer } from '../../kube/runtime/informer.ts'
import type { RuntimeMeasures } from '../../kube/runtime/measures.ts'
import { createWorkQueue, type Reconcile } from '../../kube/runtime/work-queue.ts'
import { abortable } from '../../std/abort.ts'
import type { Clock } from '../../std/clock.ts'
import type { Log } from '../../telemetry/log.ts'
import { PODS } from '../topology/pods.ts'
import { type DrillObject, keepDrill } from './drill-object.ts'
import type { DrillMeasures } from './measures.ts'
import { createDrillReconciler } from './reconcile.ts'
import { keepSchedule, type ScheduleObject } from './schedule-object.ts'
import { createScheduleReconciler, scheduleKeyOf } from './schedule-reconcile.ts'
import { DRILL_UID_LABEL, JOBS, keepJob, keepWorkerPod, type Worker } from './workers.ts'

export interface DrillWorkOptions {
  /** Returns an informer of the namespaces of the operator. */
  readonly informerOf: <T extends KubeObject>(
    resource: Resource,
    keep: (object: KubeObject) => T,
    labelSelector?: string,
  ) => Informer<T>
  /** `--no-drills`. */
  readonly isDisabled: boolean
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly measures: RuntimeMeasures
  readonly drillMeasures: DrillMeasures
}

export interface DrillWork {
  readonly drills: Informer<DrillObject>
  readonly schedules: Informer<ScheduleObject>
  readonly caches: readonly Informer<KubeObject>[]
  /** Works until the signal aborts. `api` is bound to the term of this leader. */
  lead(api: KubeApi, events: EventRecorder, signal: AbortSignal): Promise<void>
}

/** Reconciles nothing, before this process leads. */
const nothing: Reconcile = async () => undefined

/** The queues live as long as the process, so that a new leader begins with every key. */
export function createDrillWork(options: DrillWorkOptions): DrillWork {
  const { informerOf, clock } = options
  const drills = informerOf(FAILOVER_DRILLS, keepDrill)
  const schedules = informerOf(DRILL_SCHEDULES, keepSchedule)
  const jobs = informerOf(JOBS, keepJob, DRILL_UID_LABEL)
  const pods = informerOf(PODS, keepWorkerPod, DRILL_UID_LABEL)
  let reconcile = { drill: nothing, schedule: nothing }
  const queueOf = (name: 'drill' | 'schedule') =>
    createWorkQueue({ ...options, name, reconcile: (key, signal) => reconcile[name](key, signal) })
  const [drillQueue, scheduleQueue] = [queueOf('drill'), queueOf('schedule')]
  const ofWorker = ({ drillUid }: Worker): readonly string[] =>
    drills
      .all()
      .filter(({ metadata }) => metadata.uid === drillUid)
      .map(keyOf)
  const controllers: readonly ControllerOptions[] = [
    { queue: drillQueue, primary: drills, secondary: [sourceOf(jobs, ofWorker), sourceOf(pods, ofWorker)], clock },
    {
      queue: scheduleQueue,
      primary: schedules,
      secondary: [sourceOf(drills, (drill) => [scheduleKeyOf(drill)].filter((key) => key !== undefined))],
      clock,
    },
  ]
  for (const controller of controllers) connectSources(controller)
  const caches = [drills, schedules, jobs, pods]
  return {
    drills,
    schedules,
    caches,
    async lead(api, events, signal) {
      const drill = createDrillReconciler({ ...options, api, drills, jobs, pods, events })
      const schedule = createScheduleReconciler({ api, schedules, drills, clock })
      reconcile = { drill: (key, stop) => drill.reconcile(key, stop), schedule }
      const hide = options.drillMeasures.show({ drills, schedules })
      try {
        await abortable(Promise.all(caches.map(({ synced }) => synced)), signal)
        for (const object of drills.all()) drillQueue.add(keyOf(object))
        for (const object of schedules.all()) scheduleQueue.add(keyOf(object))
        await Promise.all(controllers.map((controller) => runController(controller, signal)))
      } finally {
        hide()
      }
    },
  }
}
