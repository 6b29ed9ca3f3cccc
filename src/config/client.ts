/** Settings of the command line from the environment. */
import { textOf } from './text.ts'

export interface ClientSettings {
  /** INGOT_TOKEN: the bearer token for the service. */
  readonly token: string | undefined
  /** INGOT_LOG_LEVEL=debug: failures are shown with their stack. */
  readonly debug: boolean
  /** INGOT_LOCK_URL and INGOT_LOCK_FENCES, with the same meaning as for the service. */
  readonly lockUrl: string | undefined
  readonly lockFences: string | undefined
}

export function clientSettings(env: Readonly<Record<string, string | undefined>> = process.env): ClientSettings {
  return {
    token: textOf(env['INGOT_TOKEN']),
    debug: env['INGOT_LOG_LEVEL'] === 'debug',
    lockUrl: textOf(env['INGOT_LOCK_URL']),
    lockFences: textOf(env['INGOT_LOCK_FENCES']),
  }
}
