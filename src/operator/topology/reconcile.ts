/** Observes one RedisTopology: polls its servers and Sentinels, and writes the status when it has changed. */
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import type { KubeApi } from '../../kube/client/api.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import { type Observation as ConditionObservation, isSameJson, withConditions } from '../../kube/runtime/conditions.ts'
import type { Informer } from '../../kube/runtime/informer.ts'
import type { Reconcile, Reconciled } from '../../kube/runtime/work-queue.ts'
import type { ClientSettings } from '../../redis/client.ts'
import {
  createSentinelProbe,
  createServerProbe,
  type Polled,
  type Probe,
  type SentinelView,
} from '../../redis/probe.ts'
import type { Credentials } from '../../redis/redis-url.ts'
import type { ServerRole } from '../../redis/topology/roles.ts'
import type { Clock } from '../../std/clock.ts'
import { REDIS_TOPOLOGIES, REDIS_TOPOLOGY_SPEC, REDIS_TOPOLOGY_STATUS } from '../kinds/redis-topology.ts'
import { type CredentialsReader, Obstacle } from './credentials.ts'
import { podsOf, selectorOf, type TopologyPod } from './pods.ts'
import { createProbePool, type ProbePool, type ProbeTarget } from './probe-pool.ts'
import { statusOf, type TopologyObservation, type TopologyStatus } from './status.ts'

type Spec = Static<typeof REDIS_TOPOLOGY_SPEC>

export interface TopologyDeps {
  readonly api: KubeApi
  readonly topologies: Informer<KubeObject>
  readonly pods: Informer<TopologyPod>
  readonly credentials: CredentialsReader
  /** Settings of the connections to Redis. Their name tells the servers that an operator is present. */
  readonly settings: ClientSettings
  readonly clock: Clock
}

export interface TopologyReconciler extends Disposable {
  readonly reconcile: Reconcile
}

/** Time between two polls of a topology, in milliseconds. */
const POLL_MS = 1_000
/** Offsets change all the time. A status that differs in them alone is written at most so often, in milliseconds. */
const OFFSETS_MS = 30_000
const REDIS_PORT = 6_379
const SENTINEL_PORT = 26_379

const MODES = { Sentinel: 'sentinel', Cluster: 'cluster', Standalone: 'standalone' } as const

interface Pools {
  readonly servers: ProbePool<ServerRole>
  readonly sentinels: ProbePool<SentinelView>
  writtenMs: number
}

export function createTopologyReconciler(deps: TopologyDeps): TopologyReconciler {
  const observer = new TopologyObserver(deps)
  return {
    reconcile: (key, signal) => observer.reconcile(key, signal),
    [Symbol.dispose]: () => observer.closeAll(),
  }
}

class TopologyObserver {
  readonly #deps: TopologyDeps
  readonly #pools = new Map<string, Pools>()

  constructor(deps: TopologyDeps) {
    this.#deps = deps
  }

  async reconcile(key: string, signal: AbortSignal): Promise<Reconciled | undefined> {
    const topology = this.#deps.topologies.get(key)
    if (topology === undefined || topology.metadata.deletionTimestamp !== undefined) {
      this.#close(key)
      return undefined
    }
    const { spec } = topology
    if (!Value.Check(REDIS_TOPOLOGY_SPEC, spec)) throw new Error('the spec does not match the schema of this version')
    try {
      await this.#observe(key, topology, spec, signal)
      return { requeueAfterMs: POLL_MS }
    } catch (cause) {
      if (cause instanceof Obstacle) await this.#stall(topology, cause, signal)
      throw cause
    }
  }

  closeAll(): void {
    for (const key of this.#pools.keys()) this.#close(key)
  }

  async #observe(key: string, topology: KubeObject, spec: Spec, signal: AbortSignal): Promise<void> {
    const { clock, credentials } = this.#deps
    const { namespace = 'default', generation = 0 } = topology.metadata
    const login = await credentials.read(namespace, spec.auth?.secretName, signal)
    const pool = this.#poolsOf(key)
    const seen = await observe({ ...this.#deps, pool, spec, namespace, generation, login })
    const before = statusBefore(topology)
    const status = statusOf(seen, before, clock.wallMs())
    if (isSameJson(before, status)) return
    const isDue = clock.monotonicMs() - pool.writtenMs >= OFFSETS_MS
    if (!isDue && isSameJson(withoutOffsets(before), withoutOffsets(status))) return
    await this.#write(topology, status, signal)
    pool.writtenMs = clock.monotonicMs()
  }

  /** A topology that cannot be observed says why. The queue retries it with back-off. */
  async #stall(topology: KubeObject, { reason, message }: Obstacle, signal: AbortSignal): Promise<void> {
    const observedGeneration = topology.metadata.generation ?? 0
    const before = statusBefore(topology)
    const observations: readonly ConditionObservation[] = [
      { type: 'Stalled', status: 'True', reason, message, observedGeneration },
      { type: 'Ready', status: 'Unknown', reason, message, observedGeneration },
    ]
    const conditions = withConditions(before.conditions ?? [], observations, this.#deps.clock.wallMs())
    if (isSameJson(before.conditions, conditions)) return
    await this.#write(topology, { ...before, observedGeneration, conditions }, signal)
  }

  async #write(topology: KubeObject, status: object, signal: AbortSignal): Promise<void> {
    const { name, namespace } = topology.metadata
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) }
    await this.#deps.api.applyStatus(REDIS_TOPOLOGIES, { metadata, status }, signal)
  }

  #poolsOf(key: string): Pools {
    const known = this.#pools.get(key)
    if (known !== undefined) return known
    const made = {
      servers: createProbePool<ServerRole>(),
      sentinels: createProbePool<SentinelView>(),
      writtenMs: Number.NEGATIVE_INFINITY,
    }
    this.#pools.set(key, made)
    return made
  }

  #close(key: string): void {
    const one = this.#pools.get(key)
    this.#pools.delete(key)
    one?.servers[Symbol.dispose]()
    one?.sentinels[Symbol.dispose]()
  }
}

interface ObserveContext extends Pick<TopologyDeps, 'pods' | 'settings'> {
  readonly pool: Pools
  readonly spec: Spec
  readonly namespace: string
  readonly generation: number
  readonly login: Credentials
}

/** Rejects with an Obstacle when the StatefulSet has no pods. */
async function observe(context: ObserveContext): Promise<TopologyObservation> {
  const { pool, spec, namespace, generation, pods: informer } = context
  const { mode, size, statefulSet, replicasPerShard, sentinel } = spec
  const all = informer.all()
  const pods = podsOf(all, namespace, statefulSet)
  if (pods.length === 0) {
    throw new Obstacle(
      'PodsMissing',
      `StatefulSet ${namespace}/${statefulSet} has no pods: check its name and its events`,
    )
  }
  const sentinelPods = sentinel === undefined ? [] : podsOf(all, namespace, sentinel.statefulSet)
  const [servers, views] = await Promise.all([
    pool.servers.poll(targetsOf(pods, context, serverTarget)),
    pool.sentinels.poll(targetsOf(sentinelPods, context, sentinelTarget(sentinel?.masterName ?? 'ingot'))),
  ])
  refuseUnlessAdmitted(servers)
  return {
    mode: MODES[mode],
    generation,
    size,
    replicasPerShard: mode === 'Cluster' ? (replicasPerShard ?? 1) : 0,
    pods: pods.map(({ metadata: { name }, ready }) => ({ name, ready })),
    roles: seenIn(servers).map(([, role]) => role),
    sentinels: seenIn(views).map(([pod, { knows, hasQuorum, ...primary }]) => {
      return { pod, names: podAt(pods, primary), knows, hasQuorum }
    }),
    selector: selectorOf(pods),
  }
}

/** Throws an Obstacle if every server refuses the login. */
function refuseUnlessAdmitted(polled: ReadonlyMap<string, Polled<ServerRole>>): void {
  const refusals = [...polled.values()].flatMap((one) =>
    one.kind === 'silent' && /^(WRONGPASS|NOAUTH|NOPERM)/.test(one.reason) ? [one.reason] : [],
  )
  if (polled.size === 0 || refusals.length < polled.size) return
  const remedy = 'correct auth.secretName, or the ACL of the user "operator"'
  throw new Obstacle('AccessRefused', `every server refuses the operator (${refusals[0]}): ${remedy}`)
}

/** Returns the pod at an address, which Sentinels name by IP or by host name; the host if there is no such pod. */
function podAt(pods: readonly TopologyPod[], { host, port }: { readonly host: string; readonly port: number }): string {
  const isAt = ({ ip, ports, metadata }: TopologyPod): boolean =>
    host.split('.')[0] === metadata.name || (ip === host && (ports['redis'] ?? REDIS_PORT) === port)
  return pods.find(isAt)?.metadata.name ?? host
}

function seenIn<T>(polled: ReadonlyMap<string, Polled<T>>): readonly (readonly [string, T])[] {
  return [...polled].flatMap(([pod, one]) => (one.kind === 'seen' ? [[pod, one.value] as const] : []))
}

function targetsOf<T>(
  pods: readonly TopologyPod[],
  context: ObserveContext,
  make: (
    pod: TopologyPod,
    context: ObserveContext,
  ) => { readonly port: number; readonly open: () => Promise<Probe<T>> },
): readonly ProbeTarget<T>[] {
  const { login } = context
  return pods
    .filter(({ ip }) => ip !== '')
    .map((pod) => {
      const { port, open } = make(pod, context)
      const { name, uid = '' } = pod.metadata
      return { pod: name, identity: [uid, pod.ip, port, login.user, login.password].join('\n'), open }
    })
}

function serverTarget(pod: TopologyPod, { login, settings }: ObserveContext) {
  const port = pod.ports['redis'] ?? REDIS_PORT
  const target = { endpoint: { host: pod.ip, port }, database: 0, credentials: login }
  return { port, open: () => createServerProbe(pod.metadata.name, target, settings) }
}

const sentinelTarget =
  (masterName: string) =>
  (pod: TopologyPod, { login, settings }: ObserveContext) => {
    const port = pod.ports['sentinel'] ?? SENTINEL_PORT
    const target = { endpoint: { host: pod.ip, port }, database: 0, credentials: login }
    return { port, open: () => createSentinelProbe(masterName, target, settings) }
  }

function statusBefore({ status }: KubeObject): Partial<TopologyStatus> {
  // the operator alone writes the status; one of another shape is replaced
  return Value.Check(REDIS_TOPOLOGY_STATUS, status) ? status : {}
}

function withoutOffsets(status: Partial<TopologyStatus>): object {
  return { ...status, servers: status.servers?.map(({ offset: _offset, lagBytes: _lag, ...rest }) => rest) }
}
