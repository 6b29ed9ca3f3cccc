/** A store that replicas share in a torture run. */
import type { FinalStore } from '../../../drill/checkers/final-store.ts'
import type { FaultInjection, Server } from '../../../drill/faults/fault.ts'

export interface TortureStore extends Server, AsyncDisposable {
  /** The port that replicas' wires lead to. */
  readonly port: number
  /** Settings of a replica that reaches the store at this port. */
  env(wirePort: number): Readonly<Record<string, string>>
  /** What of a content is seen on the wire when it is saved. */
  marker(bytes: Uint8Array): Uint8Array
  /** Whether it can delete items. */
  readonly deletes: boolean
  /** Faults of its own, besides being killed. */
  readonly faults: readonly FaultInjection[]
  /** Puts it back to what it was a moment before; only struck when it is asked for by name. */
  readonly restore?: FaultInjection
  /** What it holds, read directly. */
  read(signal: AbortSignal): Promise<FinalStore>
  /** Runs what a run was asked to do once the service is up. */
  readonly prepare?: (signal: AbortSignal) => Promise<unknown>
  /** Where fences are kept that outlive the lock service, if it has a place for them. */
  readonly fencesUrl?: string
  /** Where `ingot check` reads the same. */
  readonly checkUrl: string
}
