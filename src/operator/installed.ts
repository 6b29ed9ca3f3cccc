/** Checks at the start that the custom resources of this version are installed. */
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { IngotError } from '../errors/error.ts'
import { isKubeError, type KubeApi } from '../kube/client/api.ts'
import type { KubeObject } from '../kube/client/resource.ts'
import { DEFINITIONS, definitionOf, VERSION_ANNOTATION } from '../kube/crd/definition.ts'
import { DRILL_SCHEDULE } from './kinds/drill-schedule.ts'
import { FAILOVER_DRILL } from './kinds/failover-drill.ts'
import { REDIS_TOPOLOGY } from './kinds/redis-topology.ts'

const KINDS = [REDIS_TOPOLOGY, FAILOVER_DRILL, DRILL_SCHEDULE]

/** Returns the definitions of all kinds. */
export function definitions(version: string): readonly KubeObject[] {
  return KINDS.map((kind) => definitionOf(kind, version))
}

const REMEDY = 'install those of this version: ingot operate --print-crds | kubectl apply --server-side -f -'

/**
 * Rejects with CONFIG_INVALID if a definition is missing or is older than `version`. An operator that may not read
 * definitions finds their version in the OpenAPI document of the group.
 */
export async function requireDefinitions(api: KubeApi, version: string, signal: AbortSignal): Promise<void> {
  for (const { resource } of KINDS) {
    const name = `${resource.plural}.${resource.group}`
    const installed = await installedVersion(api, name, signal)
    if (installed === undefined) throw new IngotError('CONFIG_INVALID', `the kind ${name} is not installed; ${REMEDY}`)
    if (isOlder(installed, version)) {
      throw new IngotError(
        'CONFIG_INVALID',
        `the kind ${name} is of version ${installed}, older than ${version}; ${REMEDY}`,
      )
    }
  }
}

async function installedVersion(api: KubeApi, name: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const definition = await api.get(DEFINITIONS, { name }, signal)
    return definition === undefined ? undefined : (definition.metadata.annotations?.[VERSION_ANNOTATION] ?? '0.0.0')
  } catch (cause) {
    if (!isKubeError(cause, 'KUBE_FORBIDDEN')) throw cause
    return publishedVersion(api, signal)
  }
}

const DOCUMENT = Type.Object({
  components: Type.Object({
    schemas: Type.Record(Type.String(), Type.Object({ description: Type.Optional(Type.String()) })),
  }),
})

async function publishedVersion(api: KubeApi, signal: AbortSignal): Promise<string | undefined> {
  const request = { method: 'GET', path: '/openapi/v3/apis/ingot.dev/v1alpha1', signal } as const
  const { status, body } = await api.connection.send(request)
  if (status === 404) return undefined
  const document: unknown = JSON.parse(body)
  if (status !== 200 || !Value.Check(DOCUMENT, document)) {
    throw new IngotError(
      'KUBE_UNAVAILABLE',
      `GET ${request.path}: ${status}, and not the OpenAPI document of the group`,
    )
  }
  const texts = Object.values(document.components.schemas).map(({ description = '' }) => description)
  const [found] = texts.flatMap((text) => /\(ingot (\d+\.\d+\.\d+)\)$/.exec(text)?.[1] ?? [])
  return found
}

/** Compares `major.minor.patch`. */
function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) < 0
}
