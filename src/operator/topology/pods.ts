/** The pods of a topology: which belong to its StatefulSets, and where their servers listen. Pure. */
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { KubeObject, Metadata, Resource } from '../../kube/client/resource.ts'

export const PODS: Resource = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }

/** The part of a pod that the operator keeps in memory. */
export interface TopologyPod extends KubeObject {
  readonly statefulSet: string
  readonly ready: boolean
  /** Empty before the pod has one. */
  readonly ip: string
  /** Ports of its containers by name. */
  readonly ports: Readonly<Record<string, number>>
  readonly labels: Readonly<Record<string, string>>
  /** Kubernetes node; empty before it has one. */
  readonly node: string
  /** Name of the headless Service in the pod's DNS name; empty without one. */
  readonly subdomain: string
}

const POD = Type.Object({
  spec: Type.Optional(
    Type.Object({
      nodeName: Type.Optional(Type.String()),
      subdomain: Type.Optional(Type.String()),
      containers: Type.Array(
        Type.Object({
          ports: Type.Optional(
            Type.Array(Type.Object({ name: Type.Optional(Type.String()), containerPort: Type.Integer() })),
          ),
        }),
      ),
    }),
  ),
  status: Type.Optional(
    Type.Object({
      podIP: Type.Optional(Type.String()),
      conditions: Type.Optional(Type.Array(Type.Object({ type: Type.String(), status: Type.String() }))),
    }),
  ),
})

/** Returns the part of the pod that is kept. A pod that no StatefulSet owns has an empty `statefulSet`. */
export function keepPod(pod: KubeObject): TopologyPod {
  const { spec = { containers: [] }, status = {} }: Static<typeof POD> = Value.Check(POD, pod) ? pod : {}
  const { ownerReferences = [], labels = {} } = pod.metadata
  const { nodeName: node = '', subdomain = '', containers } = spec
  const { podIP: ip = '', conditions = [] } = status
  const owner = ownerReferences.find(({ kind, controller }) => kind === 'StatefulSet' && controller === true)
  return {
    metadata: keptOf(pod.metadata),
    statefulSet: owner?.name ?? '',
    ready: conditions.some((one) => one.type === 'Ready' && one.status === 'True'),
    ip,
    ports: portsOf(containers),
    labels,
    node,
    subdomain,
  }
}

type Containers = NonNullable<Static<typeof POD>['spec']>['containers']

function portsOf(containers: Containers): Readonly<Record<string, number>> {
  const ports = containers.flatMap((container) => container.ports ?? [])
  return Object.fromEntries(
    ports.flatMap(({ name, containerPort }) => (name === undefined ? [] : [[name, containerPort]])),
  )
}

const KEPT: readonly (keyof Metadata)[] = ['name', 'namespace', 'uid', 'resourceVersion', 'deletionTimestamp']

function keptOf(metadata: Metadata): Metadata {
  const kept = KEPT.filter((field) => metadata[field] !== undefined).map((field) => [field, metadata[field]] as const)
  return { name: metadata.name, ...Object.fromEntries(kept) }
}

/** Returns the pods of the StatefulSet in the namespace, in the order of their numbers. */
export function podsOf(pods: readonly TopologyPod[], namespace: string, statefulSet: string): readonly TopologyPod[] {
  return pods
    .filter((pod) => pod.metadata.namespace === namespace && pod.statefulSet === statefulSet)
    .toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name, 'en', { numeric: true }))
}

/** Labels that differ from pod to pod of one StatefulSet, or from revision to revision. */
const OWN_LABELS =
  /^(statefulset\.kubernetes\.io\/pod-name|apps\.kubernetes\.io\/pod-index|controller-revision-hash|ingot\.dev\/role)$/

/** Returns the labels that all the pods share; none without pods. */
export function sharedLabels(pods: readonly TopologyPod[]): Readonly<Record<string, string>> {
  const [first, ...others] = pods
  const shared = Object.entries(first?.labels ?? {}).filter(
    ([name, value]) => !OWN_LABELS.test(name) && others.every(({ labels }) => labels[name] === value),
  )
  return Object.fromEntries(shared)
}

/** Returns a selector of the labels that all the pods share; empty without pods. */
export function selectorOf(pods: readonly TopologyPod[]): string {
  return Object.entries(sharedLabels(pods))
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
}
