/** What a lock on Redis is made from, and what it keeps of an attempt. */
import type { ClientSettings } from '../../../redis/client.ts'
import type { Clock } from '../../../std/clock.ts'
import type { Log } from '../../../telemetry/log.ts'
import type { Wanted } from './scripts.ts'

export interface RedisLockOptions {
  /** Begins every key and channel: `ingot:{7}:lock:…`. 1 to 64 of `a-z A-Z 0-9 . _ -`. Default: ingot. */
  readonly namespace?: string
  /** Time-outs of connection and commands. Default: `DEFAULT_SETTINGS` of the Redis client. */
  readonly settings?: Partial<ClientSettings>
}

export interface RedisLockDeps {
  readonly clock: Clock
  /** Default: silent. */
  readonly log?: Log
}

/** An attempt under way. */
export interface PendingAttempt extends Wanted {
  readonly willWait: boolean
  /** How often it has waited for an epoch. */
  readonly adoptions: number
}

/** Of a command: how long it took, and what `Epochs.fills` was before. */
export interface Sent {
  readonly spentMs: number
  readonly fills: number
}
