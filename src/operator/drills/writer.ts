/** Writes what the operator knows about a drill: its status, its Jobs and Events about it. */
import { type DrillFacts, drillStatus } from '../../drill/spec/conditions.ts'
import { FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import type { DrillStatus } from '../../drill/spec/status.ts'
import { isKubeError, type KubeApi } from '../../kube/client/api.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import { isSameJson } from '../../kube/runtime/conditions.ts'
import type { EventRecorder } from '../../kube/runtime/event-recorder.ts'
import type { Clock } from '../../std/clock.ts'
import type { DrillObject } from './drill-object.ts'
import { JOBS } from './workers.ts'

/** A drill at one moment, with what the cluster says about it. */
export interface Turn {
  readonly drill: DrillObject
  readonly at: { readonly namespace: string; readonly name: string }
  readonly uid: string
  readonly signal: AbortSignal
}

export interface DrillWriter {
  /** Writes the status if it differs. Rejects with KUBE_CONFLICT if the drill has changed since it was read. */
  write(turn: Turn, facts: DrillFacts | DrillStatus): Promise<void>
  /** Creates a Job that may exist already: the caches may be behind, or an operator before this one has made it. */
  createJob(job: KubeObject, signal: AbortSignal): Promise<void>
  event(turn: Turn, type: 'Normal' | 'Warning', reason: string, note: string): Promise<void>
}

export interface WriterDeps {
  readonly api: KubeApi
  readonly events: EventRecorder
  readonly clock: Clock
}

export function createDrillWriter({ api, events, clock }: WriterDeps): DrillWriter {
  return {
    async write({ drill, at, signal }, facts) {
      const before = drill.status
      const { generation = 0, resourceVersion } = drill.metadata
      const moment = { generation, wallMs: clock.wallMs() }
      const after = drillStatus(withoutDerived(facts), before.conditions ?? [], moment)
      if (isSameJson(before, after)) return
      const patch = { metadata: { resourceVersion }, status: statusPatch(before, after) }
      await api.patchStatus(FAILOVER_DRILLS, at, patch, signal)
    },
    async createJob(job, signal) {
      try {
        await api.create(JOBS, job, signal)
      } catch (cause) {
        if (!isKubeError(cause, 'KUBE_CONFLICT')) throw cause
      }
    },
    event({ drill, signal }, type, reason, note) {
      return events.record(FAILOVER_DRILLS, drill, { type, reason, action: 'Drill', note }, signal)
    },
  }
}

export function turnOf(drill: DrillObject, signal: AbortSignal): Turn {
  const { namespace = '', name, uid = '' } = drill.metadata
  return { drill, at: { namespace, name }, uid, signal }
}

function withoutDerived({
  conditions: _conditions,
  observedGeneration: _generation,
  ...facts
}: DrillStatus): DrillFacts {
  return facts
}

/** Returns a JSON merge patch: a member that is gone is null. */
function statusPatch(before: DrillStatus, after: DrillStatus): object {
  const gone = Object.keys(before).filter((name) => !(name in after))
  return { ...Object.fromEntries(gone.map((name) => [name, null])), ...after }
}
