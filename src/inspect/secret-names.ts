/** The Secrets that a release names. Pure. */
import type { KubeObject } from '../kube/client/resource.ts'
import { type Facts, objectsOf, valueOr } from './facts.ts'
import { listAt, textAt } from './json.ts'

/** Returns the names of the Secrets that pods mount or read, and those of the RedisTopologies, sorted. */
export function secretNamesOf(facts: Facts): readonly string[] {
  const workloads = [...objectsOf(facts, 'deployments'), ...objectsOf(facts, 'statefulSets')]
  const topologies = valueOr(facts.topologies, []) ?? []
  const names = [...workloads.flatMap(namesIn), ...topologies.flatMap(namesOfTopology)]
  return [...new Set(names)].filter((name) => name !== '').toSorted()
}

function namesOfTopology(topology: KubeObject): readonly string[] {
  return ['auth', 'tls'].map((field) => textAt(topology, 'spec', field, 'secretName'))
}

function namesIn(workload: KubeObject): readonly string[] {
  const path = ['spec', 'template', 'spec'] as const
  const containers = ['initContainers', 'containers'].flatMap((field) => listAt(workload, ...path, field))
  const variables = containers.flatMap((container) => listAt(container, 'env'))
  const sources = containers.flatMap((container) => listAt(container, 'envFrom'))
  const volumes = listAt(workload, ...path, 'volumes')
  const projected = volumes.flatMap((volume) => listAt(volume, 'projected', 'sources'))
  return [
    ...variables.map((one) => textAt(one, 'valueFrom', 'secretKeyRef', 'name')),
    ...sources.map((one) => textAt(one, 'secretRef', 'name')),
    ...volumes.map((one) => textAt(one, 'secret', 'secretName')),
    ...projected.map((one) => textAt(one, 'secret', 'name')),
  ]
}
