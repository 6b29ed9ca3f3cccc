/** Polls the servers and Sentinels of one topology over kept connections. */
import type { ErrorCode } from '../../errors/error.ts'
import type { ClientSettings, Single } from '../../redis/client.ts'
import {
  createSentinelProbe,
  createServerProbe,
  type Polled,
  type Probe,
  type SentinelView,
  type ServerView,
} from '../../redis/probe.ts'
import type { Clock } from '../../std/clock.ts'
import { type Access, Obstacle } from './credentials.ts'
import type { PodIndex } from './pod-index.ts'
import { selectorOf, type TopologyPod } from './pods.ts'
import { createProbePool, type ProbePool, type ProbeTarget } from './probe-pool.ts'
import type { TopologyObservation } from './status.ts'
import type { Spec } from './topology-object.ts'
import { type PodSet, portOf, sentinelState, serverState, type TopologyView } from './view.ts'

export interface Pools extends Disposable {
  readonly servers: ProbePool<ServerView>
  readonly sentinels: ProbePool<SentinelView>
  /** The last observation, and what it was made from. */
  last: { readonly inputs: readonly unknown[]; readonly seen: Seen } | undefined
}

export function createPools(clock: Clock): Pools {
  const servers = createProbePool<ServerView>(clock)
  const sentinels = createProbePool<SentinelView>(clock)
  return {
    servers,
    sentinels,
    last: undefined,
    [Symbol.dispose]() {
      servers[Symbol.dispose]()
      sentinels[Symbol.dispose]()
    },
  }
}

export interface ObserveContext {
  readonly pools: Pools
  readonly spec: Spec
  readonly namespace: string
  readonly generation: number
  readonly access: Access
  /** Settings of the connections, with their name. */
  readonly settings: ClientSettings
  readonly pods: PodIndex
  /** Pods whose servers are polled less often, because nothing is wrong and they are not primaries. */
  readonly calm: ReadonlySet<string>
  /** Called when a connection to a server ends. */
  readonly onClosed: () => void
}

export interface Seen {
  readonly observation: TopologyObservation
  readonly view: TopologyView
  readonly servers: PodSet
}

const MODES = { Sentinel: 'sentinel', Cluster: 'cluster', Standalone: 'standalone' } as const
/** A calm server is polled again after so long, in milliseconds. The pods of the chart look for a poll within 5 s. */
const CALM_MS = 3_400
const REDIS_PORT = 6_379
const SENTINEL_PORT = 26_379

/**
 * Resolves with the same object as the last time if nothing has changed. Rejects with an Obstacle when the StatefulSet has
 * no pods, or when every server refuses the operator.
 */
export async function observe(context: ObserveContext): Promise<Seen> {
  const { pools, spec, namespace, generation } = context
  const { mode, size, statefulSet, sentinel } = spec
  const servers = setOf(context, statefulSet, size, { name: 'redis', number: REDIS_PORT })
  if (servers.pods.length === 0) {
    const where = `StatefulSet ${namespace}/${statefulSet}`
    throw new Obstacle('PodsMissing', `${where} has no pods: check its name and its events`)
  }
  const sentinels = setOf(context, sentinel?.statefulSet ?? '', sentinel?.replicas ?? 0, {
    name: 'sentinel',
    number: SENTINEL_PORT,
  })
  const masterName = masterNameOf(spec)
  const isCluster = mode === 'Cluster'
  const [reports, views] = await Promise.all([
    pools.servers.poll(
      targetsOf(servers, context, (pod, target, settings) =>
        createServerProbe({ ...target, pod, isCluster }, settings),
      ),
    ),
    pools.sentinels.poll(
      targetsOf(sentinels, context, (_pod, target, settings) => createSentinelProbe(masterName, target, settings)),
    ),
  ])
  refuseUnlessAdmitted(reports)
  const inputs = [spec, generation, servers.pods, sentinels.pods, ...valuesOf(reports), ...valuesOf(views)]
  const { last } = pools
  if (last?.inputs.length === inputs.length && inputs.every((input, index) => input === last.inputs[index])) {
    return last.seen
  }
  const seen = seenFrom(context, { servers, sentinels, reports, views })
  pools.last = { inputs, seen }
  return seen
}

/** A silent server has a new reason at each poll. */
function valuesOf<T>(polled: ReadonlyMap<string, Polled<T>>): readonly unknown[] {
  return [...polled.values()].map((one) => (one.kind === 'seen' ? one.value : one))
}

interface Polls {
  readonly servers: PodSet
  readonly sentinels: PodSet
  readonly reports: ReadonlyMap<string, Polled<ServerView>>
  readonly views: ReadonlyMap<string, Polled<SentinelView>>
}

function seenFrom({ spec, generation }: ObserveContext, { servers, sentinels, reports, views }: Polls): Seen {
  const { mode, size, statefulSet } = spec
  const states = seenIn(reports).flatMap(([name, view]) => {
    const pod = servers.pods.find(({ metadata }) => metadata.name === name)
    return pod === undefined ? [] : [serverState(view, pod, servers)]
  })
  const sentinelStates = seenIn(views).map(([pod, view]) => sentinelState(view, pod, servers, sentinels))
  const replicasPerShard = mode === 'Cluster' ? (spec.replicasPerShard ?? 1) : 0
  return {
    servers,
    view: {
      mode: MODES[mode],
      size,
      primaries: size / (1 + replicasPerShard),
      statefulSet,
      sentinelCount: sentinels.size,
      servers: states,
      sentinels: sentinelStates,
    },
    observation: {
      mode: MODES[mode],
      generation,
      size,
      replicasPerShard,
      pods: servers.pods.map(({ metadata: { name }, ready }) => ({ name, ready })),
      roles: states,
      sentinels: sentinelStates.map(({ pod, primaryPod, knows, hasQuorum }) => {
        return { pod, names: primaryPod, knows, hasQuorum }
      }),
      selector: selectorOf(servers.pods),
    },
  }
}

/** Returns the name of the primary in the Sentinels. */
export function masterNameOf({ sentinel }: Spec): string {
  return sentinel?.masterName ?? 'ingot'
}

function setOf({ pods, namespace }: ObserveContext, name: string, size: number, port: PodSet['port']): PodSet {
  return { name, size, port, pods: name === '' ? [] : pods.podsOf(namespace, name) }
}

interface Refusal {
  readonly reason: string
  readonly remedy: string
}

const REFUSALS: Partial<Readonly<Record<ErrorCode, Refusal>>> = {
  REDIS_ACCESS_REFUSED: {
    reason: 'AccessRefused',
    remedy: 'correct auth.secretName, or the ACL of the user "operator"',
  },
  REDIS_TLS_FAILED: {
    reason: 'TlsRefused',
    remedy: 'correct tls.secretName, clusterDomain, or the names in the certificates',
  },
}

/** Throws an Obstacle if every server refuses the operator for the same reason. */
function refuseUnlessAdmitted(polled: ReadonlyMap<string, Polled<ServerView>>): void {
  const errors = [...polled.values()].map((one) => (one.kind === 'silent' ? one.error : undefined))
  const [first] = errors
  const refusal = first && REFUSALS[first.code]
  if (refusal === undefined || errors.some((error) => error?.code !== first?.code)) return
  throw new Obstacle(refusal.reason, `every server refuses the operator (${first?.message ?? ''}): ${refusal.remedy}`)
}

function seenIn<T>(polled: ReadonlyMap<string, Polled<T>>): readonly (readonly [string, T])[] {
  return [...polled].flatMap(([pod, one]) => (one.kind === 'seen' ? [[pod, one.value] as const] : []))
}

type Open<T> = (pod: string, target: Single, settings: ClientSettings & { onClosed: () => void }) => Promise<Probe<T>>

function targetsOf<T>(set: PodSet, context: ObserveContext, open: Open<T>): readonly ProbeTarget<T>[] {
  const { access, settings, onClosed, calm } = context
  return set.pods
    .filter(({ ip }) => ip !== '')
    .map((pod) => {
      const target = targetOf(pod, set, context)
      const { name, uid = '' } = pod.metadata
      const { user, password } = access.credentials
      const { host, port } = target.endpoint
      const identity = [uid, host, port, user, password, access.caPem, settings.connectionName].join('\n')
      const freshMs = calm.has(name) ? CALM_MS : 0
      return { pod: name, identity, freshMs, open: () => open(name, target, { ...settings, onClosed }) }
    })
}

/** Certificates name the pods, but connections use addresses: those of a new pod are known before its DNS name is. */
function targetOf(pod: TopologyPod, set: PodSet, { access, namespace, spec }: ObserveContext): Single {
  const { clusterDomain = 'cluster.local' } = spec
  const servername = `${pod.metadata.name}.${pod.subdomain}.${namespace}.svc.${clusterDomain}`
  return {
    endpoint: { host: pod.ip, port: portOf(pod, set) },
    database: 0,
    credentials: access.credentials,
    ...(access.caPem === undefined ? {} : { tls: { caPem: access.caPem, servername } }),
  }
}
