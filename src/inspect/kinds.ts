/** The kinds that the plugin reads. */
import type { Resource } from '../kube/client/resource.ts'

const namespaced = (group: string, version: string, kind: string, plural: string): Resource => ({
  group,
  version,
  kind,
  plural,
  namespaced: true,
})

export const KINDS = {
  deployments: namespaced('apps', 'v1', 'Deployment', 'deployments'),
  statefulSets: namespaced('apps', 'v1', 'StatefulSet', 'statefulsets'),
  pods: namespaced('', 'v1', 'Pod', 'pods'),
  services: namespaced('', 'v1', 'Service', 'services'),
  configMaps: namespaced('', 'v1', 'ConfigMap', 'configmaps'),
  budgets: namespaced('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  autoscalers: namespaced('autoscaling', 'v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers'),
  networkPolicies: namespaced('networking.k8s.io', 'v1', 'NetworkPolicy', 'networkpolicies'),
  claims: namespaced('', 'v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
} as const satisfies Readonly<Record<string, Resource>>

export const SECRETS = namespaced('', 'v1', 'Secret', 'secrets')
export const EVENTS = namespaced('', 'v1', 'Event', 'events')
export const TOPOLOGIES = namespaced('ingot.dev', 'v1alpha1', 'RedisTopology', 'redistopologies')

/** The kinds whose objects carry the labels of a release. */
export type Part = keyof typeof KINDS
