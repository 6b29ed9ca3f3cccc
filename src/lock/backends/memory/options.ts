/** Options of the lock inside one process. */
import type { Clock } from '../../../std/clock.ts'

export interface MemoryOptions {
  /** Measures the leases. */
  readonly clock: Clock
}

export interface DurableMemoryOptions extends MemoryOptions {
  /** An epoch that a fence store gave to this process alone, so that its fences beat those of earlier processes. */
  readonly epoch: bigint
}
