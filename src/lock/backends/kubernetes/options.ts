/** Options of the Kubernetes lock. */
import type { Clock } from '../../../std/clock.ts'
import type { LockBackend } from '../../backend.ts'
import type { FenceStore } from '../../fencing/fence-store.ts'
import type { Key, Ticket } from '../../lock.ts'

export interface KubernetesLockDeps {
  readonly clock: Clock
  /** Puts the fences above those of the lock services that used this store before. Default: none. */
  readonly fences?: FenceStore
}

/** A lock on objects of kind Lease in one namespace. */
export interface KubernetesLock extends LockBackend<'always'> {
  wait(key: Key, ticket: Ticket, signal: AbortSignal): Promise<void>
}
