/** Settings of the command line from the environment. */
import type { Environment } from './load.ts'
import { textOf } from './text.ts'

export interface ClientSettings {
  /** INGOT_TOKEN: the bearer token for the service. */
  readonly token: string | undefined
  /** INGOT_LOG_LEVEL=debug: failures are shown with their stack. */
  readonly debug: boolean
  /** INGOT_LOCK_URL and INGOT_LOCK_FENCES, with the same meaning as for the service. */
  readonly lockUrl: string | undefined
  readonly lockFences: string | undefined
  /** INGOT_LOCK_DIRECT_URL. */
  readonly lockDirectUrl: string | undefined
}

export function clientSettings(env: Environment = process.env): ClientSettings {
  return {
    token: textOf(env['INGOT_TOKEN']),
    debug: env['INGOT_LOG_LEVEL'] === 'debug',
    lockUrl: textOf(env['INGOT_LOCK_URL']),
    lockFences: textOf(env['INGOT_LOCK_FENCES']),
    lockDirectUrl: textOf(env['INGOT_LOCK_DIRECT_URL']),
  }
}

/**
 * Returns the environment of a command that runs under a lock: that of this process with `INGOT_LOCK_KEY` and
 * `INGOT_LOCK_FENCE`, a decimal integer. Without a fence the latter is absent, also if this process has one.
 */
export function environmentUnderLock(
  key: string,
  fence: bigint | undefined,
  env: Environment = process.env,
): Record<string, string | undefined> {
  return { ...env, INGOT_LOCK_KEY: key, INGOT_LOCK_FENCE: fence?.toString() }
}
