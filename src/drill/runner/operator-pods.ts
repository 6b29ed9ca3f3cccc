/** The operator's pods as a target of faults. They are in another namespace, and belong to no release. */
import { isKubeError, type KubeApi } from '../../kube/client/api.ts'
import { podsOf } from '../../kube/pods.ts'
import { createWorkloads, PODS } from '../../kube/workloads.ts'
import { Refusal } from '../actions/action.ts'
import type { DrillContext } from '../targets/kubernetes/context.ts'

const LABELS = 'app.kubernetes.io/name=ingot-operator'

/**
 * Resolves with a context whose pods are the operator's, with component `operator`. Rejects with a Refusal if there is no
 * operator, or it cannot be reached.
 */
export async function operatorContext(api: KubeApi, context: DrillContext, signal: AbortSignal): Promise<DrillContext> {
  const found = await api.list(PODS, { labelSelector: LABELS }, signal).catch((failure: unknown) => {
    if (!isKubeError(failure, 'KUBE_FORBIDDEN')) throw failure
    throw new Refusal('the runner may not see the pods of the operator: start this drill from a shell')
  })
  const namespace = found.items[0]?.metadata.namespace
  if (namespace === undefined) throw new Refusal('there is no operator in the cluster')
  const workloads = createWorkloads({ api, namespace, release: 'ingot-operator' })
  return {
    ...context,
    workloads: {
      ...workloads,
      async pods(inner) {
        const { items } = await api.list(PODS, { namespace, labelSelector: LABELS }, inner)
        return podsOf(items).map((pod) => ({ ...pod, component: 'operator' }))
      },
    },
    wanted: () => ({}),
    // faults on the operator's pods have no primaries
    setup: { ...context.setup, mode: 'external' },
  }
}
