/** Options of the lock inside one process. */
import type { Clock } from '../../../std/clock.ts'

export interface MemoryOptions {
  /** Measures the leases. */
  readonly clock: Clock
}

export interface DurableMemoryOptions extends MemoryOptions {
  /** An epoch that a fence store issued to this process alone, so that its fences exceed those of earlier processes. */
  readonly epoch: bigint
}
