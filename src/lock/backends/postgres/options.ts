/** Options of the Postgres lock. */
import type { Clock } from '../../../std/clock.ts'
import type { Log } from '../../../telemetry/log.ts'
import type { LockBackend } from '../../backend.ts'
import type { FenceStore } from '../../fencing/fence-store.ts'

export interface PostgresLockDeps {
  readonly clock: Clock
  /** Default: silent. */
  readonly log?: Log
  /** The URL of the same database without its pooler. Waiters are woken through it. Default: the URL. */
  readonly directUrl?: string
  /** Raises the first fence above those of the lock services that used this store before. Default: none. */
  readonly fences?: FenceStore
}

/**
 * A lock in a Postgres database. Fences are `within-epoch` if the server has standbys and does not wait for them, because
 * a failover may then lose the newest numbers. Otherwise they are `always`.
 */
export type PostgresLock = LockBackend<'always' | 'within-epoch'>
