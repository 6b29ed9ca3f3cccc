/** The port of all faults: on processes of this machine, on lock servers, and on a cluster. run-fault.ts drives it. */
import type { Random } from '../../std/random.ts'

export interface FaultInjection {
  /** Its name in the history, such as `replica-kill`. */
  readonly name: string
  /** Whether locks that are held may be granted again because of it. Default: false. */
  readonly losesLocks?: boolean
  /** Whether writes to the store that happened during the fault may be lost by its end. Default: false. */
  readonly losesItems?: boolean
  /** Chooses what to break, and waits until it can be broken. Breaks nothing. */
  prepare(random: Random, signal: AbortSignal): Promise<Injection> | Injection
}

/** One injection: three steps that share what `prepare` has chosen. */
export interface Injection {
  /** How long it stays broken after the proof, milliseconds. Default: 0. */
  readonly holdMs?: number
  /** Breaks something. */
  inject(signal: AbortSignal): Promise<void>
  /** Resolves with the evidence that it is broken. Rejects if it did not come about. */
  prove(signal: AbortSignal): Promise<string>
  /**
   * Restores what was broken. Called after every `inject` that began, whether or not it succeeded. The signal is a
   * deadline for waits, and not the signal of the run. A second call does nothing.
   */
  undo(deadline: AbortSignal): Promise<void>
}

/** The undo of a fault that leaves nothing broken, or that the system under test repairs by itself. */
export async function nothingToUndo(): Promise<void> {}
