/**
 * What the operator does next for a drill: admits it, has it aborted, undoes its faults when the runner has died, and gives
 * the verdict then. Pure. The operator writes the status only while no Job of the drill works.
 */
import type { DrillStatus, DrillVerdict } from '../../drill/spec/status.ts'
import type { AbortReason } from './drill-object.ts'

/** A Job of the drill and its pods. */
export type WorkerState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'active' }
  /** It is being deleted, and its pods still run. */
  | { readonly kind: 'leaving' }
  /** It cannot work any more, and its Job still exists. */
  | { readonly kind: 'lost'; readonly why: string }
  | { readonly kind: 'ended'; readonly why: string }

/** Undo Jobs so far. */
export interface UndoState {
  readonly attempts: number
  readonly isActive: boolean
  /** When the last one ended, in milliseconds since the Unix epoch. */
  readonly endedMs: number
}

/** Why a drill that has not started cannot start. */
export interface Obstacle {
  readonly reason: string
  readonly message: string
}

export interface DrillView {
  readonly status: DrillStatus
  readonly hasFinalizer: boolean
  readonly isDeleted: boolean
  readonly isCancelled: boolean
  /** The namespace ends its drills. */
  readonly isStopped: boolean
  /** The operator runs no drills at all. */
  readonly isDisabled: boolean
  readonly obstacle: Obstacle | undefined
  /** Written to the drill, and when. */
  readonly abort: { readonly reason: AbortReason; readonly atMs: number } | undefined
  readonly runner: WorkerState
  readonly undo: UndoState
  readonly nowMs: number
}

export type Decision =
  /** Nothing to do before something changes, or before so many milliseconds have passed. */
  | { readonly kind: 'nothing'; readonly againMs?: number }
  /** The drill cannot start yet. */
  | { readonly kind: 'hold'; readonly obstacle: Obstacle }
  /** Takes the target and starts the runner. */
  | { readonly kind: 'start' }
  | { readonly kind: 'abort'; readonly reason: AbortReason }
  /** Deletes the Job of the runner. */
  | { readonly kind: 'end'; readonly why: string }
  | { readonly kind: 'undo'; readonly attempt: number; readonly why: string }
  | { readonly kind: 'reportLeft'; readonly message: string }
  | { readonly kind: 'finish'; readonly verdict: DrillVerdict; readonly reason: string; readonly message: string }
  /** The drill is over: frees the target and removes the finalizer. */
  | { readonly kind: 'close' }

/** A runner that must abort has so long, in milliseconds. Then its Job is deleted. */
export const ABORT_MS = 20_000
/** Running drills are looked at so often, in milliseconds: the annotation of the namespace sends no event. */
const LOOK_MS = 1_000
/** Waiting drills are looked at so often, in milliseconds. */
export const WAIT_MS = 3_000

const SENTENCES: Readonly<Record<AbortReason, string>> = {
  Deleted: 'the drill was deleted',
  Cancelled: 'spec.cancel was set',
  Stopped: 'the namespace has the annotation ingot.dev/drills-stop',
  Disabled: 'the operator runs no drills (--no-drills)',
}

export function planDrill(view: DrillView): Decision {
  const { status, runner, undo } = view
  if (runner.kind === 'active') return planRunning(view)
  if (runner.kind === 'lost') return isOver(view) ? { kind: 'close' } : { kind: 'end', why: runner.why }
  if (runner.kind === 'leaving') return { kind: 'nothing', againMs: LOOK_MS }
  if (undo.isActive) return { kind: 'nothing', againMs: LOOK_MS }
  if (isOver(view)) return { kind: 'close' }
  if ((status.undo ?? []).length > 0) return planUndo(view)
  if (runner.kind === 'ended' || status.startedAt !== undefined) return verdictOf(view)
  return planStart(view)
}

/** The runner has given a verdict and left nothing to undo. */
function isOver({ status }: DrillView): boolean {
  return status.phase === 'Finished' && (status.undo ?? []).length === 0
}

function planRunning(view: DrillView): Decision {
  const { abort, nowMs, status } = view
  // the runner has written everything and is about to end
  if (status.phase === 'Finished') return { kind: 'nothing', againMs: LOOK_MS }
  const reason = abortReason(view)
  if (abort === undefined)
    return reason === undefined ? { kind: 'nothing', againMs: LOOK_MS } : { kind: 'abort', reason }
  if (nowMs - abort.atMs < ABORT_MS) return { kind: 'nothing', againMs: LOOK_MS }
  return { kind: 'end', why: `the runner did not abort within ${ABORT_MS / 1_000} s` }
}

function abortReason({ isDeleted, isCancelled, isStopped, isDisabled }: DrillView): AbortReason | undefined {
  if (isDeleted) return 'Deleted'
  if (isCancelled) return 'Cancelled'
  if (isStopped) return 'Stopped'
  return isDisabled ? 'Disabled' : undefined
}

/** Back-off of undo Jobs that failed, in milliseconds. */
const backoffMs = (attempts: number): number => (attempts === 0 ? 0 : Math.min(60_000, 1_000 * 2 ** (attempts - 1)))

function planUndo(view: DrillView): Decision {
  const { undo, nowMs, status } = view
  const left = (status.undo ?? []).map(({ kind, fault }) => `${kind} of the fault ${fault}`).join(', ')
  const message = `undo Job ${undo.attempts} failed; these steps are left: ${left}`.slice(0, 1_000)
  if (undo.attempts > 0 && status.message !== message) return { kind: 'reportLeft', message }
  const waitMs = undo.endedMs + backoffMs(undo.attempts) - nowMs
  if (waitMs > 0) return { kind: 'nothing', againMs: Math.min(waitMs, LOOK_MS) }
  return { kind: 'undo', attempt: undo.attempts + 1, why: whyEnded(view) }
}

function whyEnded({ runner }: DrillView): string {
  return runner.kind === 'ended' && runner.why !== '' ? runner.why : 'the runner is gone'
}

function verdictOf(view: DrillView): Decision {
  const { abort } = view
  const reason = abort?.reason ?? abortReason(view)
  if (reason !== undefined) return { kind: 'finish', verdict: 'Aborted', reason, message: SENTENCES[reason] }
  const message = `${whyEnded(view)}; every fault is undone`
  return { kind: 'finish', verdict: 'Inconclusive', reason: 'RunnerDied', message }
}

function planStart(view: DrillView): Decision {
  const { isDeleted, isCancelled, isStopped, isDisabled, obstacle } = view
  if (isDeleted) return { kind: 'close' }
  if (isCancelled) {
    return {
      kind: 'finish',
      verdict: 'Aborted',
      reason: 'Cancelled',
      message: 'the drill was cancelled before its start',
    }
  }
  if (isDisabled) return { kind: 'hold', obstacle: { reason: 'DrillsDisabled', message: SENTENCES.Disabled } }
  if (isStopped) return { kind: 'hold', obstacle: { reason: 'DrillsStopped', message: SENTENCES.Stopped } }
  return obstacle === undefined ? { kind: 'start' } : { kind: 'hold', obstacle }
}
