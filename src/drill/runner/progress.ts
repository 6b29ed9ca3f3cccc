/** What a running drill reports, and where it looks for a request to end. */
import type { DrillFacts } from '../spec/conditions.ts'
import type { FaultStatus, Phase, UndoStep } from '../spec/status.ts'

/** Keeps the facts of a drill: in the status of the resource, or in a file. */
export interface DrillLog {
  /** Resolves when the facts are durable. */
  write(facts: DrillFacts, signal: AbortSignal): Promise<void>
}

export interface Progress {
  readonly facts: DrillFacts
  phase(phase: Phase, message: string, signal: AbortSignal): Promise<void>
  fault(name: string, change: Partial<FaultStatus>, signal: AbortSignal): Promise<void>
  undo(steps: readonly UndoStep[], signal: AbortSignal): Promise<void>
  /** Changes several facts at once. */
  set(change: Partial<DrillFacts>, signal: AbortSignal): Promise<void>
}

/** Returns the progress of a drill. Writes are made one after the other; a later one has all changes of the earlier ones. */
export function createProgress(start: DrillFacts, log: DrillLog): Progress {
  let facts = start
  let writing = Promise.resolve()
  const set = (change: Partial<DrillFacts>, signal: AbortSignal): Promise<void> => {
    facts = { ...facts, ...change }
    writing = writing.catch(() => undefined).then(() => log.write(facts, signal))
    return writing
  }
  return {
    get facts() {
      return facts
    },
    set,
    phase: (phase, message, signal) => set({ phase, message }, signal),
    fault: (name, change, signal) =>
      set(
        { faults: (facts.faults ?? []).map((fault) => (fault.name === name ? { ...fault, ...change } : fault)) },
        signal,
      ),
    undo: (undo, signal) => set({ undo: [...undo] }, signal),
  }
}
