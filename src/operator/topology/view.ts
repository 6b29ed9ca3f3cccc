/** What servers and Sentinels report, by the names of their pods. Pure. */
import type { SentinelEntry, SentinelView, ServerView } from '../../redis/probe.ts'
import type { Address } from '../../redis/topology/roles.ts'
import type { TopologyPod } from './pods.ts'

/** A server that responds. */
export interface ServerState extends ServerView, Address {
  /** Kubernetes node of its pod. */
  readonly machine: string
  /** Pod that a replica follows, or its host if no pod is there. Absent for a primary, and for a server without a role. */
  readonly followsPod?: string
}

/** A Sentinel that responds. */
export interface SentinelState extends SentinelView {
  readonly pod: string
  /** Pod that it names as primary, or the host if no pod is there; empty if it names none. */
  readonly primaryPod: string
  /** Sentinels that it sees alive, and that the spec wants, without itself. */
  readonly peers: number
  /** Replicas that it sees alive, and that the spec wants. */
  readonly replicas: number
  /** Entries at addresses that the spec does not want: down, and still alive. */
  readonly departed: number
  readonly departing: number
  readonly entries: readonly NamedEntry[]
}

/** An entry of a Sentinel with the pod at its address, or with the host if no pod is there. */
export interface NamedEntry extends SentinelEntry {
  readonly pod: string
}

/** The servers and Sentinels of a topology at one poll. */
export interface TopologyView {
  readonly mode: 'sentinel' | 'cluster' | 'standalone'
  /** Servers that the spec wants. */
  readonly size: number
  /** Primaries that the spec wants. */
  readonly primaries: number
  /** Name of the StatefulSet of the servers. */
  readonly statefulSet: string
  /** Sentinels that the spec wants. */
  readonly sentinelCount: number
  /** Servers that respond, in the order of their numbers. */
  readonly servers: readonly ServerState[]
  readonly sentinels: readonly SentinelState[]
}

/** Returns the greatest epoch that a Sentinel or a node of a cluster reports; undefined for a single server. */
export function epochOf({ servers, sentinels }: Pick<TopologyView, 'servers' | 'sentinels'>): number | undefined {
  const epochs = [...servers, ...sentinels].flatMap(({ epoch }) => epoch ?? [])
  return epochs.length === 0 ? undefined : Math.max(...epochs)
}

/** The pods of a StatefulSet, and what the spec wants of it. */
export interface PodSet {
  readonly name: string
  readonly size: number
  readonly pods: readonly TopologyPod[]
  /** Name of the port of its servers, and the number if the pod has none of that name. */
  readonly port: { readonly name: string; readonly number: number }
}

export function portOf(pod: TopologyPod, { port }: PodSet): number {
  return pod.ports[port.name] ?? port.number
}

/**
 * Returns the pod at an address, which servers give as an IP or as a host name; the host if there is no such pod. The host
 * name of a pod begins with the name of the pod.
 */
export function podAt(set: PodSet, { host, port }: Address): string {
  const isAt = (pod: TopologyPod): boolean =>
    host.split('.')[0] === pod.metadata.name || (pod.ip === host && portOf(pod, set) === port)
  return set.pods.find(isAt)?.metadata.name ?? host
}

/** A server follows this host before it has a role: the chart's pods start so (`NO_PRIMARY_HOST`). */
const NO_ROLE_PORTS = 2

export function serverState(view: ServerView, pod: TopologyPod, set: PodSet): ServerState {
  const { follows } = view
  const state = { ...view, host: pod.ip, port: portOf(pod, set), machine: pod.node }
  if (follows === undefined || follows.port <= NO_ROLE_PORTS) return state
  return { ...state, followsPod: podAt(set, follows) }
}

export function sentinelState(view: SentinelView, pod: string, servers: PodSet, sentinels: PodSet): SentinelState {
  const setOf = ({ kind }: SentinelEntry): PodSet => (kind === 'sentinel' ? sentinels : servers)
  const entries = view.entries.map((entry) => ({ ...entry, pod: podAt(setOf(entry), entry) }))
  const judged = entries.map((entry) => {
    return { kind: entry.kind, isAlive: isAlive(entry), isWanted: isWanted(entry.pod, setOf(entry)) }
  })
  const count = (matches: (entry: (typeof judged)[number]) => boolean): number => judged.filter(matches).length
  return {
    ...view,
    pod,
    primaryPod: podAt(servers, view),
    peers: count((one) => one.kind === 'sentinel' && one.isWanted && one.isAlive),
    replicas: count((one) => one.kind === 'replica' && one.isWanted && one.isAlive),
    departed: count((one) => !one.isWanted && !one.isAlive),
    departing: count((one) => !one.isWanted && one.isAlive),
    entries,
  }
}

/** Returns true for a pod that the set has at its wanted size, whether or not the pod exists at this moment. */
function isWanted(pod: string, { name, size }: PodSet): boolean {
  const label = pod.split('.')[0] ?? ''
  const ordinal = Number(label.slice(name.length + 1))
  return label === `${name}-${ordinal}` && ordinal < size
}

function isAlive({ flags }: SentinelEntry): boolean {
  return !flags.some((flag) => /down|disconnected/.test(flag))
}
