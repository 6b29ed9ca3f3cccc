/**
 * Topologies on a real API server whose pods are Redis processes of this machine, and the reconciler that operates them.
 * No controller manager runs, so pods are created here.
 */

import { createKubeApi, type KubeApi } from '../../kube/client/api.ts'
import { createKubeConnection } from '../../kube/client/connection.ts'
import type { KubeObject, Resource } from '../../kube/client/resource.ts'
import { DEFINITIONS, definitionOf } from '../../kube/crd/definition.ts'
import { connectSources, runController } from '../../kube/runtime/controller.ts'
import { createEventRecorder } from '../../kube/runtime/event-recorder.ts'
import { createInformer } from '../../kube/runtime/informer.ts'
import { unmeasuredRuntime } from '../../kube/runtime/measures.ts'
import { createWorkQueue, type Reconcile } from '../../kube/runtime/work-queue.ts'
import { REDIS_TOPOLOGIES, REDIS_TOPOLOGY } from '../../operator/kinds/redis-topology.ts'
import type { Authority } from '../../operator/topology/act.ts'
import { createCredentialsReader } from '../../operator/topology/credentials.ts'
import { unmeasuredTopologies } from '../../operator/topology/measures.ts'
import { createPodIndex } from '../../operator/topology/pod-index.ts'
import { keepPod, PODS } from '../../operator/topology/pods.ts'
import { createTopologyReconciler } from '../../operator/topology/reconcile.ts'
import type { TopologyStatus } from '../../operator/topology/status.ts'
import { keepTopology } from '../../operator/topology/topology-object.ts'
import { DEFAULT_SETTINGS } from '../../redis/client.ts'
import { systemClock } from '../../std/clock.ts'
import { createScope } from '../../std/scope.ts'
import { type Attempt, until, untilTrue } from '../../std/until.ts'
import { type Log, silentLog } from '../../telemetry/log.ts'
import type { Absent } from '../present.ts'
import { startBareApiServer } from './bare-api-server.ts'

const SETS: Resource = { group: 'apps', version: 'v1', kind: 'StatefulSet', plural: 'statefulsets', namespaced: true }
const NAMESPACE = 'default'
const SOON = { withinMs: 120_000, everyMs: 100 }
const soon = (): AbortSignal => AbortSignal.timeout(20_000)

export interface OperatedTopologies extends AsyncDisposable {
  readonly api: KubeApi
  /** Creates a StatefulSet with a pod for each port: `SET-0`, `SET-1`, and so on. Its ports are named `component`. */
  createPods(set: string, component: string, ports: readonly number[]): Promise<void>
  create(name: string, spec: object): Promise<KubeObject>
  remove(name: string): Promise<void>
  statusOf(name: string): Promise<Partial<TopologyStatus>>
  /** Resolves with the status when the condition is `STATUS REASON`. */
  untilCondition(name: string, type: string, wanted: string): Promise<Partial<TopologyStatus>>
  /** The labels of a pod. */
  labelsOf(pod: string): Promise<Readonly<Record<string, string>>>
}

/** Starts an API server with the kind RedisTopology, and the reconciler. `authority` is its term. */
export async function startOperatedTopologies(authority: Authority): Promise<OperatedTopologies | Absent> {
  const kube = await startBareApiServer()
  if ('absent' in kube) return kube
  const scope = createScope()
  scope.defer(() => kube[Symbol.asyncDispose]())
  const connection = createKubeConnection({ clock: systemClock, kubeconfig: kube.kubeconfig })
  scope.defer(() => connection[Symbol.dispose]())
  const api = createKubeApi(connection)
  await api.apply(DEFINITIONS, definitionOf(REDIS_TOPOLOGY, '0.1.0'), soon())
  const isServed = async (): Promise<boolean> => (await api.list(REDIS_TOPOLOGIES, {}, soon())).items.length === 0
  await untilTrue('the kind', isServed, SOON)
  const warnings: string[] = []
  const warn = (fields: object, event: string): void => void warnings.push(`${event} ${JSON.stringify(fields)}`)
  scope.defer(operate(api, authority, { ...silentLog, warn, error: warn }))
  const statusOf = async (name: string): Promise<Partial<TopologyStatus>> => {
    const topology = await api.get(REDIS_TOPOLOGIES, { namespace: NAMESPACE, name }, soon())
    return topology?.['status'] ?? {}
  }
  return {
    api,
    statusOf,
    createPods: (set, component, ports) => createPods(api, { namespace: NAMESPACE, set, component, ports }),
    create: (name, spec) => api.create(REDIS_TOPOLOGIES, { metadata: { name, namespace: NAMESPACE }, spec }, soon()),
    remove: (name) => api.delete(REDIS_TOPOLOGIES, { namespace: NAMESPACE, name }, soon()),
    async untilCondition(name, type, wanted) {
      const attempt = async (): Promise<Attempt<Partial<TopologyStatus>>> => {
        const status = await statusOf(name)
        const { conditions = [], servers } = status
        if (conditions.some((one) => one.type === type && `${one.status} ${one.reason}` === wanted)) {
          return { value: status }
        }
        const seen = conditions.map((one) => `${one.type} ${one.status} ${one.reason} (${one.message})`)
        const missing = `${type} ${wanted}: ${seen.join(', ')}, ${JSON.stringify(servers)}`
        return { missing: [missing, ...warnings.slice(-5)].join('\n') }
      }
      return until(attempt, SOON)
    },
    async labelsOf(pod) {
      return (await api.get(PODS, { namespace: NAMESPACE, name: pod }, soon()))?.metadata.labels ?? {}
    },
    [Symbol.asyncDispose]: () => scope.close(),
  }
}

export interface PodsSpec {
  readonly namespace: string
  /** Name of the StatefulSet. */
  readonly set: string
  /** Name of the container and of its port. */
  readonly component: string
  /** A pod for each. */
  readonly ports: readonly number[]
}

/** Creates a StatefulSet and, as no controller does, its pods: each is a server of this machine. */
export async function createPods(api: KubeApi, { namespace, set, component, ports }: PodsSpec): Promise<void> {
  const template = {
    metadata: { labels: { app: set } },
    spec: { containers: [{ name: component, image: 'redis' }] },
  }
  const spec = { selector: { matchLabels: { app: set } }, serviceName: set, template }
  const { metadata } = await api.apply(SETS, { metadata: { name: set, namespace }, spec }, soon())
  const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: set, uid: metadata.uid ?? '', controller: true }
  for (const [index, containerPort] of ports.entries()) {
    const pod = { name: `${set}-${index}`, namespace, labels: { app: set }, ownerReferences: [owner] }
    const containers = [{ name: component, image: 'redis', ports: [{ name: component, containerPort }] }]
    await api.apply(PODS, { metadata: pod, spec: { containers, subdomain: set } }, soon())
    const status = { phase: 'Running', podIP: '127.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] }
    await api.applyStatus(PODS, { metadata: { name: pod.name, namespace }, status }, soon())
  }
}

/** Runs the controller until the returned function is called. */
function operate(api: KubeApi, authority: Authority, log: Log): () => Promise<void> {
  const deps = { api, clock: systemClock, random: Math.random, log, measures: unmeasuredRuntime }
  const topologies = createInformer({ resource: REDIS_TOPOLOGIES, namespace: NAMESPACE, keep: keepTopology }, deps)
  const pods = createInformer({ resource: PODS, namespace: NAMESPACE, keep: keepPod }, deps)
  const reconcile: Reconcile = (key, signal) => reconciler.reconcile(key, signal)
  const queue = createWorkQueue({ ...deps, name: 'topology', reconcile })
  const reconciler = createTopologyReconciler({
    ...deps,
    measures: unmeasuredTopologies,
    topologies,
    pods: createPodIndex(pods),
    credentials: createCredentialsReader(api, systemClock),
    settings: DEFAULT_SETTINGS,
    authority,
    events: createEventRecorder({ ...deps, instance: 'test' }),
    wake: (key) => queue.add(key),
  })
  connectSources({ queue, primary: topologies, clock: systemClock })
  const stop = new AbortController()
  const running = Promise.all([
    topologies.run(stop.signal),
    pods.run(stop.signal),
    runController({ queue, primary: topologies, clock: systemClock }, stop.signal),
  ])
  return async () => {
    stop.abort(new Error('the test ended'))
    await running.catch(() => undefined)
    reconciler[Symbol.dispose]()
  }
}

/** A term that lasts. */
export function lastingTerm(): Authority & { number: number } {
  const term = {
    number: 7,
    assertHeld: () => {},
    async raiseAbove(number: number) {
      term.number = number + 1
    },
  }
  return term
}
