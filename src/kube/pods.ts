/** Reads pods and nodes, and lists what differs from the wanted pods. */
import { type Static, Type } from 'typebox'
import type { CallOptions } from '../std/run-program.ts'
import type { Kubectl } from './kubectl.ts'

export interface Pod {
  readonly name: string
  readonly uid: string
  /** service, redis, sentinel, postgres, legacy-backend, canary, load. */
  readonly component: string
  readonly node: string
  readonly ready: boolean
  /** It is being deleted. */
  readonly leaving: boolean
  readonly image: string
  /** Id of the container runtime; empty before the container runs. */
  readonly containerId: string
}

export interface Node {
  readonly name: string
  readonly ready: boolean
}

const CONDITIONS = Type.Optional(Type.Array(Type.Object({ type: Type.String(), status: Type.String() })))

const PODS = Type.Object({
  items: Type.Array(
    Type.Object({
      metadata: Type.Object({
        name: Type.String(),
        uid: Type.String(),
        labels: Type.Optional(Type.Record(Type.String(), Type.String())),
        deletionTimestamp: Type.Optional(Type.String()),
      }),
      spec: Type.Object({
        nodeName: Type.Optional(Type.String()),
        containers: Type.Array(Type.Object({ name: Type.String(), image: Type.String() })),
      }),
      status: Type.Object({
        phase: Type.Optional(Type.String()),
        conditions: CONDITIONS,
        containerStatuses: Type.Optional(
          Type.Array(Type.Object({ name: Type.String(), containerID: Type.Optional(Type.String()) })),
        ),
      }),
    }),
  ),
})

const NODES = Type.Object({
  items: Type.Array(
    Type.Object({ metadata: Type.Object({ name: Type.String() }), status: Type.Object({ conditions: CONDITIONS }) }),
  ),
})

type PodObject = Static<typeof PODS>['items'][number]

export async function readPods(kubectl: Kubectl, options: CallOptions): Promise<readonly Pod[]> {
  const { items } = await kubectl.read(PODS, ['get', 'pods'], options)
  return items.filter(({ status }) => status.phase !== 'Succeeded' && status.phase !== 'Failed').map(podOf)
}

function podOf({ metadata, spec, status }: PodObject): Pod {
  const containers = status.containerStatuses ?? []
  const main = spec.containers[0]
  return {
    name: metadata.name,
    uid: metadata.uid,
    component: metadata.labels?.['app.kubernetes.io/component'] ?? '',
    node: spec.nodeName ?? '',
    ready: isTrue(status.conditions, 'Ready'),
    leaving: metadata.deletionTimestamp !== undefined,
    image: main?.image ?? '',
    containerId: (containers.find(({ name }) => name === main?.name)?.containerID ?? '').replace(/^\w+:\/\//, ''),
  }
}

export async function readNodes(kubectl: Kubectl, options: CallOptions): Promise<readonly Node[]> {
  const { items } = await kubectl.read(NODES, ['get', 'nodes'], options)
  return items.map(({ metadata, status }) => ({ name: metadata.name, ready: isTrue(status.conditions, 'Ready') }))
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
