/**
 * Plans repairs from one view of a topology. Pure. A plan for a healthy topology is empty, so the start of an operator
 * changes no role. The decisions about Sentinels' entries and about clusters are those of `redis/topology`, which the
 * chart's pods make in shell while no operator is there.
 */
import { type ClusterReport, planMove, planPrimaries, planReplicas } from '../../redis/topology/cluster-plans.ts'
import type { Address } from '../../redis/topology/roles.ts'
import { sentinelToReset } from '../../redis/topology/sentinel-plans.ts'
import type { SentinelState, ServerState, TopologyView } from './view.ts'

export type Action =
  /** Makes a second primary, or a replica of another server, follow the primary. */
  | { readonly kind: 'Demote' | 'Repoint'; readonly pod: string; readonly primary: string; readonly address: Address }
  /** Makes a Sentinel forget its entries, which it then reads anew from the primary and the other Sentinels. */
  | { readonly kind: 'ResetSentinel'; readonly pod: string }
  | { readonly kind: 'Meet'; readonly pod: string; readonly peer: string; readonly address: Address }
  | { readonly kind: 'FormCluster'; readonly shards: readonly Shard[] }
  | { readonly kind: 'AttachReplica'; readonly pod: string; readonly primaryId: string }
  /** Makes a replica on another machine the primary. */
  | { readonly kind: 'MovePrimary'; readonly pod: string }

/** The slots that a server gets, both limits included. */
export interface Shard {
  readonly pod: string
  readonly from: number
  readonly to: number
}

export interface Plan {
  readonly actions: readonly Action[]
  /** Repairs that would lose data, or that need a person, as sentences. */
  readonly refusals: readonly string[]
}

const NOTHING: Plan = { actions: [], refusals: [] }
const SLOTS = 16_384

export function planOf(view: TopologyView): Plan {
  if (view.mode === 'sentinel') return sentinelPlan(view)
  return view.mode === 'cluster' ? clusterPlan(view) : NOTHING
}

// --- Sentinel ---------------------------------------------------------------------------------------------------------

/**
 * Returns the primary that a majority of all Sentinels names, if nothing speaks against it: it responds as primary with an
 * offset, no Sentinel sees it down or fails over, and a majority of the servers responds.
 */
function agreedPrimary(view: TopologyView): { readonly primary: ServerState; readonly address: Address } | undefined {
  const { servers, sentinels, size, sentinelCount } = view
  if (servers.length <= size / 2 || sentinels.some(isFailingOver)) return undefined
  const candidates = servers.filter(({ role, offset }) => role === 'primary' && offset !== undefined)
  return candidates
    .map((primary) => ({ primary, names: sentinels.filter((sentinel) => isSure(sentinel, primary)) }))
    .filter(({ names }) => names.length > sentinelCount / 2)
    .map(({ primary, names: [first] }) => ({
      primary,
      address: { host: first?.host ?? '', port: first?.port ?? 0 },
    }))[0]
}

const isFailingOver = ({ flags }: SentinelState): boolean => flags.includes('failover_in_progress')

function isSure({ primaryPod, flags, hasQuorum }: SentinelState, { pod }: ServerState): boolean {
  return primaryPod === pod && hasQuorum && flags.every((flag) => flag === 'master')
}

function sentinelPlan(view: TopologyView): Plan {
  const agreed = agreedPrimary(view)
  if (agreed === undefined) return NOTHING
  const { primary, address } = agreed
  const wrong = view.servers.filter((server) => server.pod !== primary.pod && !follows(server, primary))
  // a replica copies its primary, also an empty one
  const losing = wrong.filter(({ keys }) => keys > 0 && primary.keys === 0)
  const actions = wrong
    .filter((server) => !losing.includes(server))
    .map(({ pod, role }): Action => {
      return { kind: role === 'primary' ? 'Demote' : 'Repoint', pod, primary: primary.pod, address }
    })
  const refusals = losing.map(
    ({ pod, keys }) =>
      `${pod} has ${keys} keys, but ${primary.pod}, which the Sentinels name as primary, has none: decide which one to keep`,
  )
  if (wrong.length > 0) return { actions, refusals }
  const pod = staleSentinel(view)
  return pod === undefined ? NOTHING : { actions: [{ kind: 'ResetSentinel', pod }], refusals: [] }
}

/** Returns true for a replica of the primary, and for a server that has no role yet, which its pod gives it. */
function follows({ role, followsPod }: ServerState, primary: ServerState): boolean {
  return role === 'replica' && (followsPod === undefined || followsPod === primary.pod)
}

/** Hosts of `sentinelToReset` are `SET-ORDINAL.DOMAIN`. */
const DOMAIN = 'd'

function staleSentinel({ sentinels, size, statefulSet, sentinelCount }: TopologyView): string | undefined {
  const reports = sentinels.map(({ pod, primaryPod, flags, peers, replicas, departed, departing, hasQuorum }) => {
    const primary = `${primaryPod}.${DOMAIN}`
    return { host: pod, primary, flags: flags.join(), sentinels: peers, replicas, departed, departing, hasQuorum }
  })
  return sentinelToReset(reports, { servers: size, set: statefulSet, domain: DOMAIN, sentinels: sentinelCount })
}

// --- Cluster ----------------------------------------------------------------------------------------------------------

function clusterPlan(view: TopologyView): Plan {
  const introductions = planMeetings(view.servers)
  if (introductions.actions.length + introductions.refusals.length > 0) return introductions
  const reports = view.servers.flatMap(reportOf)
  const first = planPrimaries(reports, view.size, view.primaries)
  if (first.length > 0) return { actions: [{ kind: 'FormCluster', shards: shardsOf(first) }], refusals: [] }
  const replicas = planReplicas(reports, view.size)
  if (replicas.length > 0) {
    const actions = replicas.map(({ host, primaryId }): Action => ({ kind: 'AttachReplica', pod: host, primaryId }))
    return { actions, refusals: [] }
  }
  const moving = planMove(reports, view.size)
  const replica = view.servers.find(({ pod }) => pod === moving)
  const isStable = view.servers.every(({ synced, cluster }) => synced && cluster?.ok === true)
  if (replica === undefined || !isStable) return NOTHING
  return { actions: [{ kind: 'MovePrimary', pod: replica.pod }], refusals: [] }
}

function reportOf({ pod, machine, keys, cluster }: ServerState): readonly ClusterReport[] {
  if (cluster === undefined) return []
  const { id, primaryId, slots, peers = [] } = cluster
  const known = 1 + peers.filter(({ flags }) => !flags.some((flag) => /handshake|fail/.test(flag))).length
  return [{ host: pod, machine, id, ...(primaryId === '' ? {} : { primaryId }), slots, keys, known }]
}

function shardsOf(pods: readonly string[]): readonly Shard[] {
  const first = (index: number): number => Math.floor((index * SLOTS) / pods.length)
  return pods.map((pod, index) => ({ pod, from: first(index), to: first(index + 1) - 1 }))
}

/**
 * Plans a meeting of each server with each other one to which it has no link at the present address. Refuses if both
 * belong to clusters that do not know each other, because `CLUSTER MEET` would merge them.
 */
function planMeetings(servers: readonly ServerState[]): Plan {
  const actions: Action[] = []
  const refusals: string[] = []
  for (const [index, one] of servers.entries()) {
    for (const other of servers.slice(index + 1)) {
      if (isLinked(one, other) && isLinked(other, one)) continue
      if (knows(one, other) || knows(other, one) || isBlank(one) || isBlank(other)) {
        const address = { host: other.host, port: other.port }
        actions.push({ kind: 'Meet', pod: one.pod, peer: other.pod, address })
      } else {
        refusals.push(`${one.pod} and ${other.pod} are in different clusters, which both hold data`)
      }
    }
  }
  return { actions, refusals }
}

const peerOf = ({ cluster }: ServerState, other: ServerState) =>
  cluster?.peers?.find(({ id }) => id === other.cluster?.id)

const knows = (one: ServerState, other: ServerState): boolean => peerOf(one, other) !== undefined

function isLinked(one: ServerState, other: ServerState): boolean {
  const peer = peerOf(one, other)
  if (peer === undefined || !peer.linked || peer.flags.some((flag) => /fail|noaddr|handshake/.test(flag))) return false
  return peer.host === other.host && peer.port === other.port
}

function isBlank({ keys, cluster }: ServerState): boolean {
  return keys === 0 && cluster?.slots === 0 && cluster.primaryId === '' && cluster.peers?.length === 0
}

// --- Patience ---------------------------------------------------------------------------------------------------------

/**
 * An action is due when it was planned at every poll for so long, in milliseconds. Sentinels repair roles by themselves
 * within 10 s, and a cluster has moved enough by itself in a minute.
 */
export const PATIENCE_MS: Readonly<Record<Action['kind'], number>> = {
  Demote: 12_000,
  Repoint: 12_000,
  ResetSentinel: 5_000,
  Meet: 3_000,
  FormCluster: 3_000,
  AttachReplica: 3_000,
  MovePrimary: 60_000,
}

/** When each action was first planned without a break, in milliseconds of the monotonic clock. */
export type Planned = ReadonlyMap<string, number>

/** Returns the actions that are due, and what to remember until the next poll. */
export function dueActions(
  planned: Planned,
  actions: readonly Action[],
  nowMs: number,
): { readonly planned: Planned; readonly due: readonly Action[] } {
  const next = new Map(actions.map((action) => [keyOf(action), planned.get(keyOf(action)) ?? nowMs]))
  const due = actions.filter((action) => nowMs - (next.get(keyOf(action)) ?? nowMs) >= PATIENCE_MS[action.kind])
  return { planned: next, due }
}

const keyOf = (action: Action): string => JSON.stringify(action)

/** Returns the action as a sentence without a full stop. */
export function describe(action: Action): string {
  switch (action.kind) {
    case 'Demote':
      return `${action.pod} is a second primary and becomes a replica of ${action.primary}`
    case 'Repoint':
      return `${action.pod} follows another server and becomes a replica of ${action.primary}`
    case 'ResetSentinel':
      return `${action.pod} forgets Sentinels and replicas that have left`
    case 'Meet':
      return `${action.pod} meets ${action.peer} at its present address`
    case 'FormCluster':
      return `${action.shards.map(({ pod }) => pod).join(', ')} become the primaries of a new cluster`
    case 'AttachReplica':
      return `${action.pod} becomes a replica of the node ${action.primaryId.slice(0, 8)}`
    case 'MovePrimary':
      return `${action.pod} becomes primary, because its primary shares a machine with another one`
    default:
      return action satisfies never
  }
}
