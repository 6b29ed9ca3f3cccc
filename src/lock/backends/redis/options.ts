/** Options of the Redis lock. */
import type { ClientSettings } from '../../../redis/client.ts'
import type { Clock } from '../../../std/clock.ts'
import type { Log } from '../../../telemetry/log.ts'

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
