/** Options of the etcd lock. */
import type { Clock } from '../../../std/clock.ts'
import type { LockBackend } from '../../backend.ts'
import type { FenceStore } from '../../fencing/fence-store.ts'
import type { Key, Ticket } from '../../lock.ts'

export interface EtcdLockDeps {
  readonly clock: Clock
  /** Puts the fences above those of the lock services that used this store before. Default: none. */
  readonly fences?: FenceStore
}

/** A lock on an etcd cluster. A majority of its servers agrees on every grant. */
export interface EtcdLock extends LockBackend<'always'> {
  wait(key: Key, ticket: Ticket, signal: AbortSignal): Promise<void>
}
