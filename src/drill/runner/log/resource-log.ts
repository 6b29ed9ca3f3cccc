/** A drill as a custom resource: its status, its finalizer, and the request to end it. */
import { Value } from 'typebox/value'
import type { KubeApi } from '../../../kube/client/api.ts'
import type { KubeObject, Location } from '../../../kube/client/resource.ts'
import type { Condition } from '../../../kube/runtime/conditions.ts'
import { systemClock } from '../../../std/clock.ts'
import { type DrillFacts, drillStatus } from '../../spec/conditions.ts'
import { FAILOVER_DRILLS } from '../../spec/kinds.ts'
import { DRILL_STATUS, type DrillStatus } from '../../spec/status.ts'
import { DrillAborted } from '../aborts.ts'
import type { DrillLog } from '../progress.ts'

/** The runner sets it while `status.undo` is not empty, so that the drill is not deleted before its faults are undone. */
const FINALIZER = 'ingot.dev/undo'
/** The operator writes the reason why the drill must end. */
const ABORT = 'ingot.dev/abort'
const READ_EVERY_MS = 1_000

export interface ResourceLog extends DrillLog {
  /** Aborts as soon as the drill is to be ended, until the signal aborts. A reading that fails is left out. */
  watch(end: (reason: DrillAborted) => void, signal: AbortSignal): Promise<void>
}

/** Returns the log of this resource, as it was read last. */
export function createResourceLog(api: KubeApi, drill: KubeObject): ResourceLog {
  const at: Location = { namespace: drill.metadata.namespace, name: drill.metadata.name }
  let conditions: readonly Condition[] = statusOf(drill).conditions ?? []
  let finalizers = finalizersOf(drill)
  let generation = drill.metadata.generation ?? 1

  async function setFinalizer(isNeeded: boolean, signal: AbortSignal): Promise<void> {
    if (finalizers.includes(FINALIZER) === isNeeded) return
    const others = finalizers.filter((one) => one !== FINALIZER)
    const wanted = isNeeded ? [...others, FINALIZER] : others
    finalizers = finalizersOf(await api.patch(FAILOVER_DRILLS, at, { metadata: { finalizers: wanted } }, signal))
  }

  /** `kubectl wait` ignores conditions of an earlier generation, and `spec.cancel` makes a new one at any time. */
  async function writeStatus(facts: DrillFacts, signal: AbortSignal): Promise<void> {
    for (;;) {
      const status = drillStatus(facts, conditions, { generation, wallMs: systemClock.wallMs() })
      const { metadata } = await api.patchStatus(FAILOVER_DRILLS, at, { status }, signal)
      conditions = status.conditions ?? []
      if (metadata.generation === undefined || metadata.generation <= generation) return
      generation = metadata.generation
    }
  }

  return {
    async write(facts, signal) {
      const isUndoNeeded = (facts.undo ?? []).length > 0
      // first the finalizer and then the steps, and the other way round at the end
      if (isUndoNeeded) await setFinalizer(true, signal)
      await writeStatus(facts, signal)
      if (!isUndoNeeded) await setFinalizer(false, signal)
    },
    async watch(end, signal) {
      while (!signal.aborted) {
        await systemClock.sleep(READ_EVERY_MS, signal).catch(() => undefined)
        if (signal.aborted) return
        const read = await api.get(FAILOVER_DRILLS, at, signal).then(
          (object) => ({ object }),
          () => undefined,
        )
        const reason = read === undefined ? undefined : reasonToEnd(read.object)
        if (reason !== undefined) return end(reason)
      }
    },
  }
}

const SENTENCES: Readonly<Record<string, string>> = {
  Cancelled: 'spec.cancel was set',
  Deleted: 'the drill was deleted',
  Stopped: 'the namespace has the annotation ingot.dev/drills-stop',
  Disabled: 'the operator runs no drills (--no-drills)',
}

function reasonToEnd(object: KubeObject | undefined): DrillAborted | undefined {
  const reason = object === undefined ? 'Deleted' : object.metadata.annotations?.[ABORT]
  return reason === undefined ? undefined : new DrillAborted(reason, SENTENCES[reason] ?? `the drill ends: ${reason}`)
}

/** Returns the status of a drill; empty if it has none yet. */
export function statusOf(drill: KubeObject): DrillStatus {
  const status: unknown = drill['status']
  return Value.Check(DRILL_STATUS, status) ? status : {}
}

function finalizersOf({ metadata }: KubeObject): readonly string[] {
  const found: unknown = 'finalizers' in metadata ? metadata.finalizers : []
  return Array.isArray(found) ? found.map(String) : []
}
