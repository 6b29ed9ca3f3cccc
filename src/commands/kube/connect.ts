/** What the commands of the kubectl plugin have in common: options, the connection, the release, the output. */
import { pluginSettings } from '../../config/plugin.ts'
import { IngotError } from '../../errors/error.ts'
import { createPaint, type Paint } from '../../inspect/paint.ts'
import { chooseRelease } from '../../inspect/release.ts'
import { createKubeApi, type KubeApi } from '../../kube/client/api.ts'
import { createKubeConnection, type KubeConnection } from '../../kube/client/connection.ts'
import type { Clock } from '../../std/clock.ts'
import { type Io, usageError, type Values } from '../line/command.ts'

export const NAMESPACE_OPTIONS = {
  namespace: { type: 'string', short: 'n', value: 'NAMESPACE', summary: 'default: the namespace of the context' },
  context: { type: 'string', value: 'CONTEXT', summary: 'context of the kubeconfig, default: the current one' },
} as const

export const RELEASE_OPTIONS = {
  ...NAMESPACE_OPTIONS,
  release: { type: 'string', value: 'RELEASE', summary: 'default: the only release of the namespace' },
} as const

export const OUTPUT_OPTION = {
  output: { type: 'string', short: 'o', value: 'text|json', summary: 'form of the output', default: 'text' },
} as const

type ReleaseValues = Values<typeof RELEASE_OPTIONS>

export interface Session {
  readonly api: KubeApi
  readonly namespace: string
  readonly release: string
}

/** Calls `work` with the release that the options name, and closes the connection after it. */
export async function withRelease<T>(
  values: ReleaseValues,
  { clock, signal }: Io,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  using connection = connect(values, { clock })
  const api = createKubeApi(connection)
  const namespace = values.namespace ?? connection.namespace
  const release = await chooseRelease(api, { namespace, named: values.release }, signal)
  return await work({ api, namespace, release })
}

export interface Place {
  readonly api: KubeApi
  readonly namespace: string
  readonly clock: Clock
}

/** Calls `work` with the namespace that the options name, and closes the connection after it. */
export async function withNamespace<T>(
  values: Values<typeof NAMESPACE_OPTIONS>,
  { clock }: Pick<Io, 'clock'>,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  using connection = connect(values, { clock })
  const namespace = values.namespace ?? connection.namespace
  return await work({ api: createKubeApi(connection), namespace, clock })
}

function connect({ context }: Pick<ReleaseValues, 'context'>, { clock }: Pick<Io, 'clock'>): KubeConnection {
  try {
    return createKubeConnection({ clock, context })
  } catch (cause) {
    if (context === undefined || !(cause instanceof IngotError)) throw cause
    throw new IngotError(cause.code, `context "${context}" cannot be used: ${cause.message}`, { cause })
  }
}

/** Throws IngotError USAGE_INVALID for a form that is none. */
export function isJson(output: string): boolean {
  if (output !== 'text' && output !== 'json') throw usageError(`--output is "${output}", write text or json`)
  return output === 'json'
}

/** Returns colours for a terminal, unless NO_COLOR has a value. */
export function paintFor({ stdout }: Io): Paint {
  return createPaint(stdout.isTTY === true && pluginSettings().colours)
}

/** Writes text whose control characters are those of `paint`. */
export function writePainted({ stdout }: Io, text: string): void {
  stdout.write(Buffer.from(text))
}

export function writeJson({ stdout }: Io, value: unknown): void {
  stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}
