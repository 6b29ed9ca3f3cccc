/** The URL of the Kubernetes lock, its connections, and the check of its rights. */

import { type ErrorCode, IngotError } from '../../../errors/error.ts'
import { createKubeApi, type KubeApi } from '../../../kube/client/api.ts'
import { createKubeConnection } from '../../../kube/client/connection.ts'
import type { Resource } from '../../../kube/client/resource.ts'
import type { Clock } from '../../../std/clock.ts'
import { isTlsFailure } from '../../../std/tls-failure.ts'

export interface KubernetesAccess extends Disposable {
  readonly namespace: string
  readonly api: KubeApi
  /** On connections of its own, because a watch keeps one busy. */
  readonly watchApi: KubeApi
}

const URL_FORM = /^kubernetes:\/\/\/([a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)?(?:\?(.*))?$/
const PARAMETERS = ['context', 'kubeconfig']

/** Throws `CONFIG_INVALID` for a wrong URL, or without a cluster to connect to. */
export function accessOf(url: string, clock: Clock): KubernetesAccess {
  const match = URL_FORM.exec(url)
  if (match === null) throw invalid('is not kubernetes:///NAMESPACE?parameters')
  const parameters = new URLSearchParams(match[2] ?? '')
  const unknown = [...parameters.keys()].find((name) => !PARAMETERS.includes(name))
  if (unknown !== undefined) {
    throw invalid(`has the unknown parameter "${unknown}"; allowed are ${PARAMETERS.join(', ')}`)
  }
  const options = {
    clock,
    kubeconfig: parameters.get('kubeconfig') ?? undefined,
    context: parameters.get('context') ?? undefined,
  }
  const [calls, watches] = [createKubeConnection(options), createKubeConnection(options)]
  return {
    namespace: match[1] ?? calls.namespace,
    api: createKubeApi(calls),
    watchApi: createKubeApi(watches),
    [Symbol.dispose]() {
      calls[Symbol.dispose]()
      watches[Symbol.dispose]()
    },
  }
}

function invalid(what: string): IngotError {
  return new IngotError('CONFIG_INVALID', `the lock URL ${what}`)
}

const REVIEWS: Resource = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  namespaced: false,
}

/** The rights on leases of the namespace. LOCKS.md repeats them. */
export const VERBS = ['get', 'create', 'update', 'watch']

/** Rejects with `LOCK_ACCESS_REFUSED` and the missing right. */
export async function checkRights({ api, namespace }: KubernetesAccess, signal: AbortSignal): Promise<void> {
  for (const verb of VERBS) {
    const resourceAttributes = { namespace, verb, group: 'coordination.k8s.io', resource: 'leases' }
    const { status } = await api.create(REVIEWS, { metadata: { name: '' }, spec: { resourceAttributes } }, signal)
    const isAllowed = typeof status === 'object' && status !== null && 'allowed' in status && status.allowed === true
    if (isAllowed) continue
    const message = `the credentials lack the right "${verb}" on leases.coordination.k8s.io in the namespace ${namespace}`
    throw new IngotError('LOCK_ACCESS_REFUSED', message)
  }
}

const CODES: Partial<Record<ErrorCode, ErrorCode>> = {
  KUBE_UNAUTHORIZED: 'LOCK_ACCESS_REFUSED',
  KUBE_FORBIDDEN: 'LOCK_ACCESS_REFUSED',
  KUBE_NOT_FOUND: 'LOCK_UNSUITABLE',
  KUBE_CONFIG_INVALID: 'CONFIG_INVALID',
}

/** Returns the error with a code of the lock library. */
export function kubernetesFailure(thrown: unknown): IngotError {
  if (!(thrown instanceof IngotError)) {
    return new IngotError('LOCK_BACKEND_UNAVAILABLE', `the API server: ${String(thrown)}`, { cause: thrown })
  }
  if (!thrown.code.startsWith('KUBE_')) return thrown
  const code = isTlsFailure(thrown.cause) ? 'LOCK_TLS_FAILED' : (CODES[thrown.code] ?? 'LOCK_BACKEND_UNAVAILABLE')
  return new IngotError(code, thrown.message, { cause: thrown, facts: thrown.facts })
}
