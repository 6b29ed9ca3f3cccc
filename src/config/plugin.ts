/** Settings of the kubectl plugin from the environment. */

export interface PluginSettings {
  /** False if NO_COLOR has a value (no-color.org), or on a terminal without capabilities. */
  readonly colours: boolean
  /** False on a terminal without capabilities (TERM=dumb). */
  readonly cursor: boolean
}

export function pluginSettings(env: Readonly<Record<string, string | undefined>> = process.env): PluginSettings {
  const cursor = env['TERM'] !== 'dumb'
  return { colours: cursor && (env['NO_COLOR'] ?? '') === '', cursor }
}
