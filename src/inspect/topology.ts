/** The RedisTopology of a release and the workloads of its Redis. Pure. */
import type { KubeObject } from '../kube/client/resource.ts'
import { type Facts, mainContainer, objectsOf, ofComponent, valueOr, variableOf } from './facts.ts'
import { listAt, textAt } from './json.ts'

/** How Redis is deployed; `external` is a Redis outside the release. */
export type RedisMode = 'sentinel' | 'cluster' | 'standalone' | 'external'

const MODES: readonly RedisMode[] = ['sentinel', 'cluster', 'standalone']

export function redisSet(facts: Facts): KubeObject | undefined {
  return ofComponent(objectsOf(facts, 'statefulSets'), 'redis')[0]
}

export function sentinelSet(facts: Facts): KubeObject | undefined {
  return ofComponent(objectsOf(facts, 'statefulSets'), 'sentinel')[0]
}

/** Returns the RedisTopology of the release's Redis. */
export function topologyOf(facts: Facts): KubeObject | undefined {
  const set = redisSet(facts)?.metadata.name
  return (valueOr(facts.topologies, []) ?? []).find((topology) => textAt(topology, 'spec', 'statefulSet') === set)
}

/** Returns the mode that the StatefulSet has. */
export function modeOf(facts: Facts): RedisMode {
  const set = redisSet(facts)
  if (set === undefined) return 'external'
  const name = set.metadata.annotations?.['ingot.dev/redis-mode'] ?? variableOf(mainContainer(set), 'MODE')
  return MODES.find((mode) => mode === name.toLowerCase()) ?? 'standalone'
}

export interface SeenCondition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
}

export function conditionsOf(object: KubeObject | undefined): readonly SeenCondition[] {
  return listAt(object, 'status', 'conditions').map((one) => ({
    type: textAt(one, 'type'),
    status: textAt(one, 'status'),
    reason: textAt(one, 'reason'),
    message: textAt(one, 'message'),
  }))
}

/** The status that each condition has in a healthy topology. */
const WISHED: Readonly<Record<string, string>> = {
  Ready: 'True',
  FailoverPossible: 'True',
  Degraded: 'False',
  Progressing: 'False',
  Reconciling: 'False',
  Stalled: 'False',
}

/** Returns the conditions that differ from those of a healthy topology. A single server never fails over. */
export function unwishedConditions(topology: KubeObject | undefined): readonly SeenCondition[] {
  const isSingle = textAt(topology, 'spec', 'mode') === 'Standalone'
  return conditionsOf(topology).filter(({ type, status }) => {
    const wished = WISHED[type]
    return wished !== undefined && status !== wished && !(isSingle && type === 'FailoverPossible')
  })
}
