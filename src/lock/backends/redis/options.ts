/** Options of the Redis lock, and the state of its attempts. */
import type { ClientSettings } from '../../../redis/client.ts'
import type { Clock } from '../../../std/clock.ts'
import type { Log } from '../../../telemetry/log.ts'
import type { Wanted } from './scripts.ts'

export interface RedisLockOptions {
  /** Prefix of every key and channel: `ingot:{7}:lock:…`. 1 to 64 of `a-z A-Z 0-9 . _ -`. Default: ingot. */
  readonly namespace?: string
  /** Time-outs of connection and commands. Default: `DEFAULT_SETTINGS` of the Redis client. */
  readonly settings?: Partial<ClientSettings>
}

export interface RedisLockDeps {
  readonly clock: Clock
  /** Default: silent. */
  readonly log?: Log
}

/** A running attempt. */
export interface PendingAttempt extends Wanted {
  readonly willWait: boolean
  /** How often it has waited for an epoch. */
  readonly adoptions: number
}

/** Facts about a sent command: how long it took, and the value of `Epochs.fills` before it. */
export interface Sent {
  readonly spentMs: number
  readonly fills: number
}
