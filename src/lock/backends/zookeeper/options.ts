/** Options of the ZooKeeper lock. */
import type { Clock } from '../../../std/clock.ts'
import type { LeaseRequest, LockBackend } from '../../backend.ts'
import type { FenceStore } from '../../fencing/fence-store.ts'
import type { Attempt, Key, Ticket } from '../../lock.ts'

export interface ZooKeeperLockDeps {
  readonly clock: Clock
  /** Puts the fences above those of the lock services that used this store before. Default: none. */
  readonly fences?: FenceStore
}

/** A lock on a ZooKeeper ensemble. A majority of its servers agrees on every grant. */
export interface ZooKeeperLock extends LockBackend<'always'> {
  tryAcquireMany(requests: readonly LeaseRequest[], signal: AbortSignal): Promise<readonly Attempt<'always'>[]>
  wait(key: Key, ticket: Ticket, signal: AbortSignal): Promise<void>
}
