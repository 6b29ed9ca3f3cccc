/** The Jobs of a drill and their pods: whether the runner works, and why it ended. Pure. */
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { KubeObject, Resource } from '../../kube/client/resource.ts'

export const JOBS: Resource = { group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', namespaced: true }

/** Jobs and pods of drills have this label, with the UID of the drill. */
export const DRILL_UID_LABEL = 'ingot.dev/drill-uid'
/** `runner` or `undo`. */
export const ROLE_LABEL = 'ingot.dev/drill-role'

export type WorkerRole = 'runner' | 'undo'

/** What is kept of a Job or of a pod. */
export interface Worker extends KubeObject {
  readonly drillUid: string
  readonly role: string
  /** `active` until it has ended. */
  readonly state: 'active' | 'succeeded' | 'failed'
  /** Why it failed, for people; empty unless it failed. */
  readonly why: string
  /** When it ended, in milliseconds since the Unix epoch; 0 if unknown. */
  readonly endedMs: number
}

const JOB_STATUS = Type.Object({
  conditions: Type.Optional(
    Type.Array(
      Type.Object({
        type: Type.String(),
        status: Type.String(),
        reason: Type.Optional(Type.String()),
        message: Type.Optional(Type.String()),
        lastTransitionTime: Type.Optional(Type.String()),
      }),
    ),
  ),
})

export function keepJob(job: KubeObject): Worker {
  const { status } = job
  const { conditions = [] }: Static<typeof JOB_STATUS> = Value.Check(JOB_STATUS, status) ? status : {}
  const isTrue = (...types: readonly string[]) =>
    conditions.find((one) => types.includes(one.type) && one.status === 'True')
  const failure = isTrue('Failed', 'FailureTarget')
  const success = isTrue('Complete', 'SuccessCriteriaMet')
  return {
    ...marksOf(job),
    state: stateOf(failure !== undefined, success !== undefined),
    why: failure === undefined ? '' : `the Job failed: ${failure.reason ?? ''} ${failure.message ?? ''}`.trim(),
    endedMs: Date.parse((failure ?? success)?.lastTransitionTime ?? '') || 0,
  }
}

function stateOf(hasFailed: boolean, hasSucceeded: boolean): Worker['state'] {
  if (hasFailed) return 'failed'
  return hasSucceeded ? 'succeeded' : 'active'
}

const POD_STATUS = Type.Object({
  phase: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
  containerStatuses: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String(),
        state: Type.Optional(
          Type.Object({
            terminated: Type.Optional(Type.Object({ exitCode: Type.Integer(), reason: Type.Optional(Type.String()) })),
          }),
        ),
      }),
    ),
  ),
})

/** Name of the container that performs the drill or the undo. */
export const MAIN_CONTAINER = 'runner'

/** A pod has ended as soon as its main container has: its sidecars end later. */
export function keepWorkerPod(pod: KubeObject): Worker {
  const { status } = pod
  const known: Static<typeof POD_STATUS> = Value.Check(POD_STATUS, status) ? status : {}
  return { ...marksOf(pod), endedMs: 0, ...endOf(known) }
}

function endOf({
  phase,
  reason,
  message,
  containerStatuses,
}: Static<typeof POD_STATUS>): Pick<Worker, 'state' | 'why'> {
  const ended = containerStatuses?.find(({ name }) => name === MAIN_CONTAINER)?.state?.terminated
  if (phase === 'Succeeded' || ended?.exitCode === 0) return { state: 'succeeded', why: '' }
  if (phase === 'Failed' && reason !== undefined) {
    return { state: 'failed', why: `its pod failed: ${[reason, message].filter(Boolean).join(', ')}` }
  }
  if (ended !== undefined) {
    const how = ended.reason === 'OOMKilled' ? 'was killed for its memory' : `ended with code ${ended.exitCode}`
    return { state: 'failed', why: `the container ${MAIN_CONTAINER} ${how}` }
  }
  return phase === 'Failed' ? { state: 'failed', why: 'its pod failed' } : { state: 'active', why: '' }
}

function marksOf({ metadata }: KubeObject): Pick<Worker, 'metadata' | 'drillUid' | 'role'> {
  const { name, namespace, uid, labels = {}, deletionTimestamp } = metadata
  return {
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      labels,
    },
    drillUid: labels[DRILL_UID_LABEL] ?? '',
    role: labels[ROLE_LABEL] ?? '',
  }
}
