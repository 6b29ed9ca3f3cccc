/** What was read of a release: objects as the API sends them, and why others could not be read. Pure. */
import type { KubeObject } from '../kube/client/resource.ts'
import { listAt, textAt } from './json.ts'
import type { Part } from './kinds.ts'

/** A value that was read, or why it could not be read. */
export type Read<T> = { readonly kind: 'read'; readonly value: T } | { readonly kind: 'unread'; readonly why: string }

/** A Secret that the release names. Its value is undefined if there is none of that name. */
export interface NamedSecret {
  readonly name: string
  readonly secret: Read<KubeObject | undefined>
}

export interface PodMetrics {
  readonly pod: string
  /** Text format of Prometheus. */
  readonly text: Read<string>
}

/** The response of a pod to `GET /v1/status`. */
export interface PodState {
  readonly pod: string
  readonly state: Read<unknown>
}

export interface Facts {
  readonly namespace: string
  readonly release: string
  /** When the facts were read, in milliseconds since the epoch. */
  readonly nowMs: number
  /** Version of this program. */
  readonly version: string
  readonly objects: Readonly<Record<Part, Read<readonly KubeObject[]>>>
  /** RedisTopologies of the namespace; undefined if the kind is not installed. */
  readonly topologies: Read<readonly KubeObject[] | undefined>
  /** Leases named `ingot-operator`. */
  readonly leases: Read<readonly KubeObject[]>
  /** Deployments of the operator. */
  readonly operators: Read<readonly KubeObject[]>
  /** The definition of RedisTopology. */
  readonly definition: Read<KubeObject | undefined>
  readonly secrets: readonly NamedSecret[]
  /** Of the service's pods. */
  readonly metrics: readonly PodMetrics[]
  /** Of the service's pods. Unread if there is no token. */
  readonly states: Read<readonly PodState[]>
}

export function valueOr<T>(read: Read<T>, otherwise: T): T {
  return read.kind === 'read' ? read.value : otherwise
}

/** Returns the objects of a kind; none if they could not be read. */
export function objectsOf({ objects }: Pick<Facts, 'objects'>, part: Part): readonly KubeObject[] {
  return valueOr(objects[part], [])
}

/** Components of a release, by the label of the chart. */
export function componentOf({ metadata }: KubeObject): string {
  return metadata.labels?.['app.kubernetes.io/component'] ?? ''
}

export function ofComponent(objects: readonly KubeObject[], component: string): readonly KubeObject[] {
  return objects.filter((object) => componentOf(object) === component)
}

/** Returns the objects in the order of their names, `redis-2` before `redis-10`. */
export function byName(objects: readonly KubeObject[]): readonly KubeObject[] {
  return objects.toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name, 'en', { numeric: true }))
}

/** Returns the first container of a pod, or of the pods of a workload. */
export function mainContainer(object: KubeObject): unknown {
  return containersOf(object)[0]
}

/** Returns the containers of a pod, or of the pods of a workload. */
export function containersOf(object: KubeObject): readonly unknown[] {
  const ofWorkload = listAt(object, 'spec', 'template', 'spec', 'containers')
  return ofWorkload.length > 0 ? ofWorkload : listAt(object, 'spec', 'containers')
}

/** Returns the value of an environment variable of a container, or an empty text. */
export function variableOf(container: unknown, name: string): string {
  return textAt(
    listAt(container, 'env').find((one) => textAt(one, 'name') === name),
    'value',
  )
}

export function isReady(pod: KubeObject): boolean {
  return listAt(pod, 'status', 'conditions').some(
    (one) => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True',
  )
}

/** Returns the pods that are neither done nor being deleted. */
export function livePods(facts: Facts, component: string): readonly KubeObject[] {
  const pods = ofComponent(objectsOf(facts, 'pods'), component)
  return byName(pods.filter((pod) => !['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase'))))
}

/** What could not be read, with its reason. */
export interface NotRead {
  readonly part: string
  readonly why: string
}

/** Returns what could not be read. */
export function unreadOf(facts: Facts): readonly NotRead[] {
  const { objects, topologies, leases, operators, definition, secrets, metrics, states } = facts
  const parts: readonly (readonly [string, Read<unknown>])[] = [
    ...Object.entries(objects),
    ['redisTopologies', topologies],
    ['leases', leases],
    ['operators', operators],
    ['definition', definition],
    ...secrets.map(({ name, secret }) => [`secret ${name}`, secret] as const),
    ...metrics.map(({ pod, text }) => [`metrics of ${pod}`, text] as const),
    ...(states.kind === 'unread'
      ? [['status of the replicas', states] as const]
      : states.value.map(({ pod, state }) => [`status of ${pod}`, state] as const)),
  ]
  return parts.flatMap(([part, read]) => (read.kind === 'unread' ? [{ part, why: read.why }] : []))
}
