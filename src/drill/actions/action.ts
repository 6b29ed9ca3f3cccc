/** What an action of a drill is: pods to hit, steps to undo, an injection, and a proof. */
import type { Pod } from '../../kube/pods.ts'
import type { FaultSpec } from '../spec/schema.ts'
import type { UndoStep } from '../spec/status.ts'
import type { DrillContext, View } from '../targets/kubernetes/context.ts'

/** Why an action cannot be carried out here. The drill is then Inconclusive. */
export class Refusal extends Error {}

export interface ActionRequest {
  readonly context: DrillContext
  readonly fault: FaultSpec
  /** The release just before the injection. */
  readonly before: View
  readonly victims: readonly Pod[]
  /** How long the victims stay broken, in milliseconds. */
  readonly holdMs: number
}

/** A step without its place in a drill. */
export type UndoStepInput = Pick<UndoStep, 'kind' | 'args'>

/** An action that is ready to be carried out. Nothing is broken yet. */
export interface PreparedAction {
  /** Steps that restore what it changes. They are recorded before `inject`. */
  readonly undo: readonly UndoStepInput[]
  inject(signal: AbortSignal): Promise<void>
  /** Resolves with the evidence that the victims are broken. Rejects if the action did not take effect. */
  prove(signal: AbortSignal): Promise<string>
  /** True if the victims stay broken for `holdMs`, and are then restored. Default: false. */
  readonly isHeld?: boolean
}

/** Rejects with a Refusal if this cluster or this release cannot do it. */
export type Action = (request: ActionRequest, signal: AbortSignal) => Promise<PreparedAction>
