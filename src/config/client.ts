/** Settings of the command line itself, from the environment. */

export interface ClientSettings {
  /** INGOT_TOKEN: sent as the bearer token to the service. */
  readonly token: string | undefined
  /** INGOT_LOG_LEVEL=debug: failures are shown with their stack. */
  readonly debug: boolean
}

export function clientSettings(env: Readonly<Record<string, string | undefined>> = process.env): ClientSettings {
  const token = env['INGOT_TOKEN']?.trim()
  return { token: token === '' ? undefined : token, debug: env['INGOT_LOG_LEVEL'] === 'debug' }
}
