/** The operator: informers in every process, controllers in the one that leads. */
import { randomUUID } from 'node:crypto'
import { createKubeApi, type KubeApi } from '../kube/client/api.ts'
import type { KubeConnection } from '../kube/client/connection.ts'
import { type KubeObject, keyOf } from '../kube/client/resource.ts'
import { connectSources, runController, sourceOf } from '../kube/runtime/controller.ts'
import { createEventRecorder } from '../kube/runtime/event-recorder.ts'
import { createInformer, type Informer, type InformerOptions } from '../kube/runtime/informer.ts'
import { runElection } from '../kube/runtime/leader-election.ts'
import type { LeadershipTerm } from '../kube/runtime/leadership-term.ts'
import type { RuntimeMeasures } from '../kube/runtime/measures.ts'
import { mergeInformers } from '../kube/runtime/merged-informer.ts'
import { withTerm } from '../kube/runtime/term-api.ts'
import { createWorkQueue, type Reconcile } from '../kube/runtime/work-queue.ts'
import { DEFAULT_SETTINGS } from '../redis/client.ts'
import { untilAborted } from '../std/abort.ts'
import type { Clock } from '../std/clock.ts'
import type { Log } from '../telemetry/log.ts'
import type { DrillMeasures } from './drills/measures.ts'
import { createDrillWork, type DrillWork } from './drills/work.ts'
import { requireDefinitions } from './installed.ts'
import { REDIS_TOPOLOGIES } from './kinds/redis-topology.ts'
import { createCredentialsReader } from './topology/credentials.ts'
import type { TopologyMeasures } from './topology/measures.ts'
import { createPodIndex } from './topology/pod-index.ts'
import { keepPod, PODS, type TopologyPod } from './topology/pods.ts'
import { createTopologyReconciler } from './topology/reconcile.ts'
import { keepTopology, setsOf, type TopologyObject } from './topology/topology-object.ts'

export interface OperatorOptions {
  readonly connection: KubeConnection
  /** Namespace of the Lease. */
  readonly leaseNamespace: string
  /** Beginning of the identity of this process in the Lease. */
  readonly name: string
  /** Namespaces to watch. Default: all. */
  readonly namespaces?: readonly string[] | undefined
  /** Version of ingot, which the definitions must have at least. */
  readonly version: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly measures: RuntimeMeasures
  readonly topologyMeasures: TopologyMeasures
  readonly drillMeasures: DrillMeasures
  /** Ends running drills and starts none. Default: false. */
  readonly noDrills?: boolean
}

export interface Operator {
  /** Returns why the process is not ready, or undefined. */
  notReady(): string | undefined
  /** Works until the signal aborts. Rejects with CONFIG_INVALID if the definitions are missing or too old. */
  run(signal: AbortSignal): Promise<void>
}

const LEASE = 'ingot-operator'
/** A cache that heard nothing for so long makes the process not ready, in milliseconds. */
const STALE_MS = 180_000

export function createOperator(options: OperatorOptions): Operator {
  const api = createKubeApi(options.connection)
  const topologies = informerOf(options, api, { resource: REDIS_TOPOLOGIES, keep: keepTopology })
  const pods = informerOf(options, api, { resource: PODS, keep: keepPod })
  const drills = createDrillWork({
    ...options,
    isDisabled: options.noDrills === true,
    informerOf: (resource, keep, labelSelector) => informerOf(options, api, { resource, keep, labelSelector }),
  })
  const caches = [topologies, pods, ...drills.caches]
  let isSynced = false
  return {
    notReady() {
      if (!isSynced) return 'the caches are not filled yet'
      const staleMs = Math.max(...caches.map((cache) => cache.staleMs()))
      return staleMs > STALE_MS ? `the API server sent nothing for ${Math.round(staleMs / 1_000)} s` : undefined
    },
    async run(signal) {
      await requireDefinitions(api, options.version, signal)
      const work = createWork(options, topologies, pods, drills)
      const filling = Promise.all(caches.map((cache) => cache.synced)).then(() => void (isSynced = true))
      const identity = `${options.name}_${randomUUID()}`
      const election = { ...options, api, namespace: options.leaseNamespace, name: LEASE, identity, lead: work(api) }
      await Promise.all([
        ...caches.map((cache) => cache.run(signal)),
        runElection(election, signal),
        Promise.race([filling, untilAborted(signal)]),
      ])
    },
  }
}

function informerOf<T extends KubeObject>(
  options: OperatorOptions,
  api: KubeApi,
  kind: Pick<InformerOptions<T>, 'resource' | 'keep' | 'labelSelector'>,
): Informer<T> {
  const { namespaces = [undefined] } = options
  return mergeInformers(namespaces.map((namespace) => createInformer({ ...kind, namespace }, { ...options, api })))
}

/** Reconciles nothing, before this process leads. */
const nothing: Reconcile = async () => undefined

/** The queue lives as long as the process, so that a new leader begins with every key. */
function createWork(
  options: OperatorOptions,
  topologies: Informer<TopologyObject>,
  pods: Informer<TopologyPod>,
  drills: DrillWork,
): (api: KubeApi) => (term: LeadershipTerm) => Promise<void> {
  const { clock } = options
  let reconcile = nothing
  const queue = createWorkQueue({
    ...options,
    name: 'redistopology',
    reconcile: (key, signal) => reconcile(key, signal),
  })
  // a pod that is deleted, or gets an address, is looked at in this moment
  const keysOf = (pod: TopologyPod): readonly string[] => keysWith(topologies, pod)
  const index = createPodIndex(pods)
  const controller = { queue, primary: topologies, secondary: [sourceOf(pods, keysOf)], clock }
  connectSources(controller)
  return (api) => async (term) => {
    const bound = withTerm(api, term)
    const events = createEventRecorder({ ...options, api: bound, instance: options.name })
    using reconciler = createTopologyReconciler({
      api: bound,
      topologies,
      pods: index,
      credentials: createCredentialsReader(bound, clock),
      settings: DEFAULT_SETTINGS,
      authority: term,
      events,
      measures: options.topologyMeasures,
      wake: (key) => queue.add(key),
      clock,
    })
    reconcile = reconciler.reconcile
    await topologies.synced
    for (const { metadata } of topologies.all()) queue.add(`${metadata.namespace}/${metadata.name}`)
    await Promise.all([runController(controller, term.signal), drills.lead(bound, events, term.signal)])
  }
}

/** Returns the keys of the topologies that the pod belongs to. */
function keysWith(
  topologies: Informer<TopologyObject>,
  { metadata: { namespace }, statefulSet }: TopologyPod,
): string[] {
  if (statefulSet === '') return []
  return topologies
    .all()
    .filter((topology) => topology.metadata.namespace === namespace && setsOf(topology).includes(statefulSet))
    .map((topology) => keyOf(topology))
}
