/** Options of the MySQL lock. */
import type { Clock } from '../../../std/clock.ts'
import type { Log } from '../../../telemetry/log.ts'
import type { LockBackend } from '../../backend.ts'
import type { FenceStore } from '../../fencing/fence-store.ts'

export interface MysqlLockDeps {
  readonly clock: Clock
  /** Default: silent. */
  readonly log?: Log
  /** Raises the first fence above those of the lock services that used this store before. Default: none. */
  readonly fences?: FenceStore
}

/** A lock in a MySQL or MariaDB database. Fences are `within-epoch` if the server has replicas. Otherwise `always`. */
export type MysqlLock = LockBackend<'always' | 'within-epoch'>
