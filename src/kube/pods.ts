/** Reads pods and nodes from objects of the API, and lists what differs from the wanted pods. Pure. */
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { KubeObject } from './client/resource.ts'

export interface Pod {
  readonly name: string
  readonly uid: string
  /** service, redis, sentinel, postgres, legacy-backend, canary, load, drill. */
  readonly component: string
  readonly node: string
  readonly ready: boolean
  /** It is being deleted. */
  readonly leaving: boolean
  readonly image: string
  /** Digest of the image, as the node reports it; empty before the container runs. */
  readonly imageId: string
  /** Name of the first container. */
  readonly container: string
  /** Id of the container runtime; empty before the container runs. */
  readonly containerId: string
  /** Restarts of the first container. */
  readonly restarts: number
  /** Address of the pod; empty before it has one. */
  readonly ip: string
  /** Name under the headless Service of its StatefulSet; empty for other pods. */
  readonly host: string
  /** Port of the first container named `http`, for metrics. Absent without one. */
  readonly httpPort?: number
  /** The containers share one process namespace. */
  readonly sharesProcesses: boolean
}

export interface Node {
  readonly name: string
  readonly ready: boolean
  readonly cordoned: boolean
}

const CONDITIONS = Type.Optional(Type.Array(Type.Object({ type: Type.String(), status: Type.String() })))

const POD = Type.Object({
  metadata: Type.Object({
    name: Type.String(),
    uid: Type.String(),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
    deletionTimestamp: Type.Optional(Type.String()),
  }),
  spec: Type.Object({
    nodeName: Type.Optional(Type.String()),
    hostname: Type.Optional(Type.String()),
    subdomain: Type.Optional(Type.String()),
    shareProcessNamespace: Type.Optional(Type.Boolean()),
    containers: Type.Array(
      Type.Object({
        name: Type.String(),
        image: Type.String(),
        ports: Type.Optional(
          Type.Array(Type.Object({ name: Type.Optional(Type.String()), containerPort: Type.Integer() })),
        ),
      }),
    ),
  }),
  status: Type.Object({
    phase: Type.Optional(Type.String()),
    podIP: Type.Optional(Type.String()),
    conditions: CONDITIONS,
    containerStatuses: Type.Optional(
      Type.Array(
        Type.Object({
          name: Type.String(),
          containerID: Type.Optional(Type.String()),
          imageID: Type.Optional(Type.String()),
          restartCount: Type.Optional(Type.Integer()),
        }),
      ),
    ),
  }),
})

const NODE = Type.Object({
  metadata: Type.Object({ name: Type.String() }),
  spec: Type.Optional(Type.Object({ unschedulable: Type.Optional(Type.Boolean()) })),
  status: Type.Object({ conditions: CONDITIONS }),
})

/** Returns the pods that have not ended. An object of another form is left out. */
export function podsOf(objects: readonly KubeObject[]): readonly Pod[] {
  return objects
    .flatMap((object) => parsed(POD, object))
    .filter(({ status }) => status.phase !== 'Succeeded' && status.phase !== 'Failed')
    .map(podOf)
}

/** Returns the nodes. An object of another form is left out. */
export function nodesOf(objects: readonly KubeObject[]): readonly Node[] {
  return objects
    .flatMap((object) => parsed(NODE, object))
    .map(({ metadata, spec, status }) => ({
      name: metadata.name,
      ready: isTrue(status.conditions, 'Ready'),
      cordoned: spec?.unschedulable === true,
    }))
}

function parsed<T extends typeof POD | typeof NODE>(schema: T, object: KubeObject): readonly Static<T>[] {
  const value: unknown = Value.Clean(schema, structuredClone(object))
  return Value.Check(schema, value) ? [value] : []
}

function podOf({ metadata, spec, status }: Static<typeof POD>): Pod {
  const { nodeName = '', hostname = metadata.name, subdomain, shareProcessNamespace = false } = spec
  return {
    name: metadata.name,
    uid: metadata.uid,
    component: metadata.labels?.['app.kubernetes.io/component'] ?? '',
    node: nodeName,
    ready: isTrue(status.conditions, 'Ready'),
    leaving: metadata.deletionTimestamp !== undefined,
    ...containerOf({ spec, status }),
    ip: status.podIP ?? '',
    host: subdomain === undefined ? '' : `${hostname}.${subdomain}`,
    sharesProcesses: shareProcessNamespace,
  }
}

type ContainerFacts = Pick<Pod, 'image' | 'imageId' | 'container' | 'containerId' | 'restarts' | 'httpPort'>

/** Returns the facts of the first container. */
function containerOf({ spec, status }: Pick<Static<typeof POD>, 'spec' | 'status'>): ContainerFacts {
  const { name: container = '', image = '', ports = [] } = spec.containers[0] ?? {}
  const running = status.containerStatuses?.find(({ name }) => name === container)
  const { imageID: imageId = '', containerID = '', restartCount: restarts = 0 } = running ?? {}
  const httpPort = ports.find(({ name }) => name === 'http')?.containerPort
  const port = httpPort === undefined ? {} : { httpPort }
  return { container, image, imageId, containerId: containerID.replace(/^\w+:\/\//, ''), restarts, ...port }
}

type Conditions = readonly { readonly type: string; readonly status: string }[] | undefined

function isTrue(conditions: Conditions, type: string): boolean {
  return conditions?.some((condition) => condition.type === type && condition.status === 'True') === true
}

export function ofComponent(pods: readonly Pod[], component: string): readonly Pod[] {
  return pods.filter((pod) => pod.component === component)
}

/** Number of pods that each component must have. */
export type Wanted = Readonly<Record<string, number>>

/** Returns the components whose pods are missing, not ready, leaving or too many, one line each. */
export function unready(pods: readonly Pod[], wanted: Wanted): readonly string[] {
  return Object.entries(wanted).flatMap(([component, count]) => {
    const there = ofComponent(pods, component)
    const ready = there.filter((pod) => pod.ready && !pod.leaving)
    if (ready.length === count && there.length === count) return []
    return [`${component}: ${ready.length} of ${count} ready${there.length > count ? `, ${there.length} present` : ''}`]
  })
}
