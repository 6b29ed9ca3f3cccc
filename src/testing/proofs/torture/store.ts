/** A store that replicas share in a torture run. */
import type { FinalStore } from '../../../drill/checkers/final-store.ts'
import type { FaultInjection } from '../../../drill/faults/fault.ts'
import type { Server } from '../../../drill/targets/processes/parts.ts'

export interface TortureStore extends Server, AsyncDisposable {
  /** The port that the proxies of the replicas connect to. */
  readonly port: number
  /** Settings of a replica that reaches the store at this port. */
  env(proxyPort: number): Readonly<Record<string, string>>
  /** Returns bytes by which a content is recognized on the connection when it is saved. */
  marker(bytes: Uint8Array): Uint8Array
  /** True if it can delete items. */
  readonly deletes: boolean
  /** Faults of its own, in addition to a kill. */
  readonly faults: readonly FaultInjection[]
  /** Restores an earlier copy. Injected only if a run names it. */
  readonly restore?: FaultInjection
  /** Reads its content directly. */
  read(signal: AbortSignal): Promise<FinalStore>
  /** Runs the statement of the options once the service is up. */
  readonly prepare?: (signal: AbortSignal) => Promise<unknown>
  /** URL for fences that outlive the lock service. Absent if the store cannot hold them. */
  readonly fencesUrl?: string
  /** URL from which `ingot check` reads the same content. */
  readonly checkUrl: string
}
