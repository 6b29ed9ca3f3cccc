/** Checks of what one node or one drain can take away, and of the autoscaler. Pure. */
import { type Facts, livePods, objectsOf } from '../facts.ts'
import { at, listAt, numberAt, textAt } from '../json.ts'
import { selects } from '../selector.ts'
import { serviceDeployment } from '../status/service.ts'
import { type Check, type Seen, seenIf } from './check.ts'

function onOneNode(facts: Facts, component: string): readonly Seen[] {
  const pods = livePods(facts, component)
  const nodes = new Set(pods.map((pod) => textAt(pod, 'spec', 'nodeName')))
  const [node = ''] = nodes
  return seenIf(
    pods.length > 1 && nodes.size === 1 && node !== '',
    `the pods of ${component}`,
    `all ${pods.length} pods are on node ${node}`,
  )
}

function withoutBudget(facts: Facts): readonly Seen[] {
  return ['service', 'redis', 'sentinel'].flatMap((component) => {
    const [pod, ...others] = livePods(facts, component)
    if (pod === undefined || others.length === 0) return []
    const labels = pod.metadata.labels ?? {}
    const isProtected = objectsOf(facts, 'budgets').some((budget) => selects(at(budget, 'spec', 'selector'), labels))
    return seenIf(!isProtected, `the pods of ${component}`, 'no PodDisruptionBudget selects them')
  })
}

function autoscalerSeen(facts: Facts): readonly Seen[] {
  const deployment = serviceDeployment(facts)
  const replicas = numberAt(deployment, 'spec', 'replicas')
  return objectsOf(facts, 'autoscalers').flatMap((autoscaler) => {
    const subject = `horizontalpodautoscaler/${autoscaler.metadata.name}`
    const least = numberAt(autoscaler, 'spec', 'minReplicas') ?? 1
    const inactive = listAt(autoscaler, 'status', 'conditions').find(
      (one) => textAt(one, 'type') === 'ScalingActive' && textAt(one, 'status') === 'False',
    )
    return [
      ...seenIf(
        replicas !== undefined && replicas < least,
        subject,
        `the Deployment has ${replicas} replicas, below minReplicas ${least}`,
      ),
      ...seenIf(inactive !== undefined, subject, `it does not scale: ${textAt(inactive, 'message')}`),
    ]
  })
}

export const PLACEMENT_CHECKS: readonly Check[] = [
  {
    code: 'REDIS_ON_ONE_NODE',
    severity: 'warning',
    needs: ['pods'],
    remedy: 'the loss of this node ends Redis: add nodes, and let redis.spread (or affinity) keep the pods apart',
    find: (facts) => onOneNode(facts, 'redis'),
  },
  {
    code: 'SENTINELS_ON_ONE_NODE',
    severity: 'warning',
    needs: ['pods'],
    remedy: 'the loss of this node ends failover: add nodes, and set redis.sentinel.hardAntiAffinity=true',
    find: (facts) => onOneNode(facts, 'sentinel'),
  },
  {
    code: 'SERVICE_ON_ONE_NODE',
    severity: 'warning',
    needs: ['pods'],
    remedy: 'the loss of this node ends the service for a while: add nodes, and keep service.topologySpread',
    find: (facts) => onOneNode(facts, 'service'),
  },
  {
    code: 'NO_DISRUPTION_BUDGET',
    severity: 'warning',
    needs: ['pods', 'budgets'],
    remedy:
      'a drain of nodes may end several pods at once: set service.podDisruptionBudget.enabled=true; the chart has those of Redis',
    find: withoutBudget,
  },
  {
    code: 'AUTOSCALER_NOT_IN_EFFECT',
    severity: 'warning',
    needs: ['autoscalers', 'deployments'],
    remedy: 'install a metrics server, and upgrade once more: the chart then keeps the number of replicas',
    find: autoscalerSeen,
  },
]
