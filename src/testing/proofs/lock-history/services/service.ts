/** The port of a lock service whose history is recorded: servers that can be broken. */
import type { FaultInjection } from '../../../../drill/faults/fault.ts'
import type { Entry } from '../../../../drill/history.ts'
import type { Scope } from '../../../../std/scope.ts'

export interface LockService {
  readonly lockUrl: string
  /** URL of the fence store. Empty if the service numbers its grants, or without fences. */
  readonly fencesUrl: string
  /** Lease that the workers request, in milliseconds. */
  readonly ttlMs: number
  readonly faults: readonly FaultInjection[]
  /** Resolves when the service works again after the faults. */
  healthy(signal: AbortSignal): Promise<void>
  /** Resolves when nothing more is recorded. Absent if the service records nothing. */
  readonly stop?: () => Promise<void>
}

/** A started service, before its history begins. */
export interface StartedService {
  /** Name and version, such as `redis-8.0.2`. */
  readonly version: string
  /** True if the servers are probed: two of them may both accept writes. */
  readonly isProbed: boolean
  /** Begins to record. `folder` is for files of the run. */
  open(context: OpenContext): Promise<LockService>
}

export interface OpenContext {
  readonly scope: Scope
  readonly folder: string
  readonly record: (entry: Entry) => void
}
