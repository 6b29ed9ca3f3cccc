/** A release with Sentinel in memory. Its controllers replace deleted pods at once, and another server becomes primary. */
import type { Machines } from '../../drill/targets/kubernetes/machines.ts'
import type { RedisView } from '../../drill/targets/redis/view.ts'
import type { KubeApi } from '../../kube/client/api.ts'
import type { Pod } from '../../kube/pods.ts'
import type { Workload, Workloads } from '../../kube/workloads.ts'
import type { ServerRole } from '../../redis/topology/roles.ts'

export const COMPONENTS = { service: 3, redis: 3, sentinel: 3, postgres: 1, 'legacy-backend': 0 } as const
const NODES = ['n1', 'n2', 'n3']
const IMAGE = 'ingot:e2e'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export interface FakeRelease {
  readonly workloads: Workloads
  readonly redis: RedisView
  readonly machines: Machines
  /** Calls that change something, in their order. */
  readonly calls: string[]
  readonly pods: Mutable<Pod>[]
  /** Replaces the pods of a component, as a rollout does. */
  renew(component: string, image?: string): void
  primary(): string
}

export interface FakeOptions {
  /** Answers commands in containers. Default: none works. */
  readonly exec?: (at: string, command: readonly string[]) => Promise<string>
  /** True if a PodDisruptionBudget refuses evictions. Default: false. */
  readonly refusesEvictions?: boolean
}

/** Creates the release. redis-0 is the primary, on the node n1. */
export function createFakeRelease({ exec, refusesEvictions = false }: FakeOptions = {}): FakeRelease {
  let created = 0
  const calls: string[] = []
  const uid = (): string => `uid-${++created}`
  const pods = Object.entries(COMPONENTS).flatMap(([component, count]) =>
    Array.from({ length: count }, (_, index) => podOf(`${component}-${index}`, component, { index, uid: uid() })),
  )
  let primary = 'redis-0'
  let frozen: string | undefined
  const nodes = NODES.map((name) => ({ name, ready: true, cordoned: false }))
  const replace = (name: string, image?: string): void => {
    const pod = pods.find((one) => one.name === name)
    if (pod === undefined) return
    Object.assign(pod, { uid: uid(), image: image ?? pod.image, containerId: `c-${name}-${created}`, restarts: 0 })
    if (name === primary) primary = name === 'redis-0' ? 'redis-1' : 'redis-0'
  }
  const isFrozen = (name: string): boolean => pods.find((one) => one.name === name)?.node === frozen
  const renew = (component: string, image?: string): void => {
    for (const pod of pods) if (pod.component === component) replace(pod.name, image)
  }
  const workloads: Workloads = {
    api: noApi(),
    namespace: 'ns',
    release: 'ingot',
    pods: async () => pods.map((pod) => ({ ...pod, ready: pod.node !== frozen })),
    nodes: async () => nodes.map((node) => ({ ...node, ready: node.name !== frozen })),
    workloads: async () => ['service', 'redis', 'sentinel'].map((component) => workloadOf(component, pods)),
    async deletePod(name, { graceSeconds }) {
      calls.push(`delete ${name}${graceSeconds === 0 ? ' at once' : ''}`)
      replace(name)
    },
    async evictPod(name) {
      if (refusesEvictions) return { kind: 'refused', why: 'the disruption budget allows none' }
      calls.push(`evict ${name}`)
      replace(name)
      return { kind: 'evicted' }
    },
    exec: async (at, command) => {
      if (exec === undefined) throw new Error('exec is forbidden')
      calls.push(`exec ${at}`)
      return exec(at, command)
    },
    async scale({ component }, replicas) {
      calls.push(`scale ${component} ${replicas}`)
      const own = pods.filter((pod) => pod.component === component)
      for (let index = own.length; index < replicas; index++)
        pods.push(podOf(`${component}-${index}`, component, { index, uid: uid() }))
      for (const pod of own.slice(replicas)) pods.splice(pods.indexOf(pod), 1)
    },
    async roll({ component }, image) {
      calls.push(`roll ${component}${image === undefined ? '' : ` ${image}`}`)
      renew(component, image)
    },
    async cordon(name, isCordoned) {
      calls.push(`${isCordoned ? 'cordon' : 'uncordon'} ${name}`)
      for (const node of nodes) if (node.name === name) node.cordoned = isCordoned
    },
    label: async (pod, name, value) => void calls.push(`label ${pod} ${name}=${value}`),
  }
  const redis: RedisView = {
    roles: async (chosen) => chosen.filter(({ name }) => !isFrozen(name)).map(({ name }) => roleOf(name, primary)),
    sentinelViews: async (chosen) => chosen.map(() => `${primary}.headless`),
    async command(pod, words) {
      calls.push(`${pod.name} ${words.join(' ')}`)
      return 'OK'
    },
    sentinelFailover: async (replica) => void calls.push(`failover ${replica.name}`),
    awaitPrimary: async () => primary,
  }
  const machines: Machines = {
    async freeze(node) {
      calls.push(`freeze ${node}`)
      frozen = node
      if (isFrozen(primary)) primary = 'redis-1'
    },
    async thaw(node) {
      calls.push(`thaw ${node}`)
      frozen = undefined
    },
    isFrozen: async (node) => node === frozen,
    killContainer: async (_node, id) => void calls.push(`kill ${id}`),
  }
  return { workloads, redis, machines, calls, pods, renew, primary: () => primary }
}

function podOf(name: string, component: string, { index, uid }: { readonly index: number; readonly uid: string }) {
  const pod: Mutable<Pod> = {
    name,
    uid,
    component,
    node: component === 'postgres' ? 'n3' : `n${index + 1}`,
    ready: true,
    leaving: false,
    image: IMAGE,
    imageId: `${IMAGE}@sha256:0`,
    container: component,
    containerId: `c-${name}`,
    restarts: 0,
    ip: `10.0.0.${index}`,
    host: `${name}.headless`,
    sharesProcesses: false,
  }
  return pod
}

function roleOf(pod: string, primary: string): ServerRole {
  return pod === primary
    ? { pod, role: 'primary', synced: true, replicas: 2 }
    : { pod, role: 'replica', synced: true, replicas: 0 }
}

function workloadOf(component: string, pods: readonly Pod[]): Workload {
  const replicas = pods.filter((pod) => pod.component === component).length
  const kind = component === 'service' ? 'Deployment' : 'StatefulSet'
  const name = component === 'service' ? 'ingot' : `ingot-${component}`
  const status = { observedGeneration: 1, replicas, updatedReplicas: replicas, readyReplicas: replicas }
  const spec = { replicas, template: { spec: { containers: [{ name: component, image: IMAGE }] } } }
  return { kind, name, component, replicas, object: { metadata: { name, generation: 1 }, spec, status } }
}

function noApi(): KubeApi {
  const refuse = (): never => {
    throw new Error('the fake release has no API server')
  }
  return new Proxy({} as KubeApi, { get: refuse })
}
