/** The port of all faults: on local processes, on lock servers, and on a cluster. run-fault.ts drives it. */
import type { Random } from '../../std/random.ts'

/** A kind of fault. Each call of `prepare` returns one injection. */
export interface FaultInjection {
  /** Its name in the history, such as `replica-kill`. */
  readonly name: string
  /** True if held locks may be granted again because of the fault. Default: false. */
  readonly losesLocks?: boolean
  /** True if writes to the store during the fault may be lost by its end. Default: false. */
  readonly losesItems?: boolean
  /** How often it is tried until it takes effect, because it needs a moment that may pass. Default: 1. */
  readonly tries?: number
  /** Chooses a target and waits until it can be broken. Breaks nothing. */
  prepare(random: Random, signal: AbortSignal): Promise<Injection> | Injection
}

/** One injection: three steps that share the target chosen by `prepare`. */
export interface Injection {
  /** Time for which the target stays broken after the proof, in milliseconds. Default: 0. */
  readonly holdMs?: number
  /** Breaks the target. */
  inject(signal: AbortSignal): Promise<void>
  /** Resolves with the evidence that the target is broken. Rejects if the fault did not take effect. */
  prove(signal: AbortSignal): Promise<string>
  /**
   * Restores the target. Called after every `inject` that began, whether or not it succeeded. The signal is a deadline
   * for waits, and not the signal of the run. A second call does nothing.
   */
  undo(deadline: AbortSignal): Promise<void>
}

/** Undo step of a fault that leaves nothing broken, or that the system under test repairs. */
export async function nothingToUndo(): Promise<void> {}
