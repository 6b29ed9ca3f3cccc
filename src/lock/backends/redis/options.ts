/** The types of the Redis lock: its options, and the backend itself. */
import type { ClientSettings } from '../../../redis/client.ts'
import type { Clock } from '../../../std/clock.ts'
import type { Log } from '../../../telemetry/log.ts'
import type { LockBackend } from '../../backend.ts'
import type { Key, Ticket } from '../../lock.ts'

export interface RedisLockOptions {
  /** Prefix of every key and channel: `ingot:{7}:lock:…`. 1 to 64 of `a-z A-Z 0-9 . _ -`. Default: ingot. */
  readonly namespace?: string
  /** Timeouts of connection and commands. Default: `DEFAULT_SETTINGS` of the Redis client. */
  readonly settings?: Partial<ClientSettings>
}

export interface RedisLockDeps {
  readonly clock: Clock
  /** Default: silent. */
  readonly log?: Log
}

/** A Redis lock. It does no I/O before `connect`. */
export interface RedisLock<F extends 'always' | 'within-epoch'> extends LockBackend<F> {
  /** Connects. Call it once. Rejects with the errors of `RedisConnection.connect` or with the signal's reason. */
  connect(signal: AbortSignal): Promise<void>
  wait(key: Key, ticket: Ticket, signal: AbortSignal): Promise<void>
}
