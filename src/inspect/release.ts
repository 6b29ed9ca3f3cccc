/** Chooses the release that a command is about. */
import { IngotError } from '../errors/error.ts'
import { isKubeError, type KubeApi } from '../kube/client/api.ts'
import type { KubeObject } from '../kube/client/resource.ts'
import { componentOf } from './facts.ts'
import { KINDS } from './kinds.ts'

const COMPONENTS: ReadonlySet<string> = new Set(['service', 'redis', 'sentinel'])

/**
 * Resolves with the named release, or with the only one of the namespace. Rejects with RELEASE_NOT_FOUND,
 * RELEASE_AMBIGUOUS, and the errors of the API.
 */
export async function chooseRelease(
  api: KubeApi,
  { namespace, named }: { readonly namespace: string; readonly named: string | undefined },
  signal: AbortSignal,
): Promise<string> {
  try {
    return releaseAmong(await workloadsOf(api, namespace, signal), namespace, named)
  } catch (failure) {
    // a user who may not list workloads can still name the release
    if (named !== undefined && isKubeError(failure, 'KUBE_FORBIDDEN')) return named
    throw failure
  }
}

async function workloadsOf(api: KubeApi, namespace: string, signal: AbortSignal): Promise<readonly KubeObject[]> {
  const selection = { namespace, labelSelector: 'app.kubernetes.io/part-of=ingot' }
  const lists = await Promise.all([
    api.list(KINDS.deployments, selection, signal),
    api.list(KINDS.statefulSets, selection, signal),
  ])
  return lists.flatMap(({ items }) => items)
}

export function releaseAmong(workloads: readonly KubeObject[], namespace: string, named: string | undefined): string {
  const ours = workloads.filter((workload) => COMPONENTS.has(componentOf(workload)))
  const names = ours.map(({ metadata }) => metadata.labels?.['app.kubernetes.io/instance'] ?? '')
  const releases = [...new Set(names)].filter((name) => name !== '').toSorted()
  const list = releases.join(', ')
  if (named !== undefined) {
    if (releases.includes(named)) return named
    const others = releases.length === 0 ? 'it has none of ingot' : `it has ${list}`
    throw new IngotError('RELEASE_NOT_FOUND', `there is no release "${named}" in namespace ${namespace}: ${others}`)
  }
  const [only, ...more] = releases
  if (only === undefined) throw new IngotError('RELEASE_NOT_FOUND', `there is no release of ingot in ${namespace}`)
  if (more.length > 0) throw new IngotError('RELEASE_AMBIGUOUS', `namespace ${namespace} has several releases: ${list}`)
  return only
}
