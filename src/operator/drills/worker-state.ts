/** Derives from a drill's Jobs and pods whether its runner and its undo work. Pure. */
import type { UndoState, WorkerState } from './plan.ts'
import type { Worker } from './workers.ts'

export interface WorkerFacts {
  readonly jobs: readonly Worker[]
  readonly pods: readonly Worker[]
  /** The runner has written to the status of the drill. */
  readonly hasReported: boolean
  /** Since when the runner has no pod, in milliseconds; undefined while it has one. */
  readonly podlessSinceMs: number | undefined
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number
}

/** A pod whose node does not respond is gone so long after its grace period, in milliseconds. */
const SILENT_MS = 3_000
/** The caches of drills and of pods may differ for so long, in milliseconds. */
const SKEW_MS = 2_000

/** Returns the state of the runner. */
export function runnerState(facts: WorkerFacts): WorkerState {
  const { jobs, nowMs } = facts
  const job = jobs.find(({ role }) => role === 'runner')
  const pods = facts.pods.filter(({ role }) => role === 'runner')
  const isWorking = pods.some((pod) => pod.state === 'active' && !isSilent(pod, nowMs))
  const end = pods.find(({ state }) => state !== 'active')
  const isLeaving = job === undefined || job.metadata.deletionTimestamp !== undefined
  if (isLeaving && isWorking) return { kind: 'leaving' }
  if (job === undefined) return { kind: 'absent' }
  if (isLeaving || job.state !== 'active') return { kind: 'ended', why: whyOf(end ?? job) }
  return isWorking ? { kind: 'active' } : idleState(facts, pods, end)
}

/** Returns the state of a Job that has not ended, and none of whose pods works. */
function idleState(facts: WorkerFacts, pods: readonly Worker[], end: Worker | undefined): WorkerState {
  const { hasReported, podlessSinceMs, nowMs } = facts
  if (end !== undefined) return { kind: 'lost', why: whyOf(end) }
  if (pods.length > 0) return { kind: 'lost', why: 'the node of its pod does not respond' }
  const isGone = hasReported && podlessSinceMs !== undefined && nowMs - podlessSinceMs >= SKEW_MS
  return isGone ? { kind: 'lost', why: 'its pod was deleted' } : { kind: 'active' }
}

function isSilent({ metadata: { deletionTimestamp } }: Worker, nowMs: number): boolean {
  // it is the time of the deletion and the grace period
  return deletionTimestamp !== undefined && nowMs > Date.parse(deletionTimestamp) + SILENT_MS
}

function whyOf({ state, why }: Worker): string {
  return state === 'succeeded' ? 'the runner ended without a verdict' : why
}

export function undoState({ jobs }: Pick<WorkerFacts, 'jobs'>): UndoState {
  const own = jobs.filter(({ role }) => role === 'undo')
  return {
    attempts: own.length,
    isActive: own.some(({ state, metadata }) => state === 'active' && metadata.deletionTimestamp === undefined),
    endedMs: Math.max(0, ...own.map(({ endedMs }) => endedMs)),
  }
}
