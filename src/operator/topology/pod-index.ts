/** The pods of each StatefulSet, found without a look at all others. */
import type { Informer } from '../../kube/runtime/informer.ts'
import { podsOf, type TopologyPod } from './pods.ts'

export interface PodIndex {
  /** Returns the pods in the order of their numbers. */
  podsOf(namespace: string, statefulSet: string): readonly TopologyPod[]
}

/** To be created before the informer runs. */
export function createPodIndex(informer: Informer<TopologyPod>): PodIndex {
  const known = new Map<string, readonly TopologyPod[]>()
  informer.onChange((_key, before, after) => {
    for (const pod of [before, after]) {
      if (pod !== undefined) known.delete(`${pod.metadata.namespace}/${pod.statefulSet}`)
    }
  })
  return {
    podsOf(namespace, statefulSet) {
      const key = `${namespace}/${statefulSet}`
      const pods = known.get(key) ?? podsOf(informer.all(), namespace, statefulSet)
      known.set(key, pods)
      return pods
    },
  }
}
