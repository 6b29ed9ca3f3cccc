/**
 * Parses the role that each Redis server reports, from the output of redis-cli, and lists the problems of a topology.
 * Pure.
 */
import { type InfoFields, parseInfo } from './info.ts'

/** How Redis is deployed. `external` is a Redis that the chart does not install. */
export const MODES = ['sentinel', 'cluster', 'standalone', 'external'] as const
export type Mode = (typeof MODES)[number]

export interface ServerRole {
  readonly pod: string
  readonly role: 'primary' | 'replica'
  /** True for a primary, and for a replica that has the data of its primary and a live link to it. */
  readonly synced: boolean
  /** Number of replicas that follow this server. */
  readonly replicas: number
  /** In Redis Cluster only. */
  readonly cluster?: ClusterMember
}

export interface ClusterMember {
  /** True if this server considers the cluster able to serve. */
  readonly ok: boolean
  readonly id: string
  /** Id of the primary that a replica follows; empty for a primary. */
  readonly primaryId: string
  readonly slots: number
}

/** Commands whose replies `parseRole` reads, in this order. */
export const ROLE_COMMANDS = ['INFO replication', 'CLUSTER INFO', 'CLUSTER NODES'] as const

/**
 * Returns the role of a server from its replies to `ROLE_COMMANDS`, one after the other. Returns undefined if they have
 * no role, as while the server loads its data.
 */
export function parseRole(pod: string, text: string): ServerRole | undefined {
  const fields = parseInfo(text)
  const role = fields.get('role')
  if (role !== 'master' && role !== 'slave') return undefined
  const cluster = parseClusterMember(text, fields)
  return {
    pod,
    role: role === 'master' ? 'primary' : 'replica',
    synced:
      role === 'master' || (fields.get('master_link_status') === 'up' && fields.get('master_sync_in_progress') === '0'),
    replicas: Number(fields.get('connected_slaves') ?? 0),
    ...(cluster === undefined ? {} : { cluster }),
  }
}

/** Reads the line of CLUSTER NODES about the server itself: `ID ADDRESS FLAGS MASTER PING PONG EPOCH LINK SLOT…`. */
function parseClusterMember(text: string, fields: InfoFields): ClusterMember | undefined {
  const own = text.split(/\r?\n/).find((line) => /\smyself,|\smyself\s/.test(line))
  if (own === undefined) return undefined
  const [id = '', , , primary = '-', , , , , ...slots] = own.split(' ')
  return {
    ok: fields.get('cluster_state') === 'ok',
    id,
    primaryId: primary === '-' ? '' : primary,
    slots: slots.filter((slot) => /^\d/.test(slot)).reduce((sum, slot) => sum + sizeOf(slot), 0),
  }
}

function sizeOf(range: string): number {
  const [first, last = first] = range.split('-').map(Number)
  return Number(last) - Number(first) + 1
}

/** Returns the servers that are primary. In a cluster, only those that have slots. */
export function primariesOf(roles: readonly ServerRole[]): readonly ServerRole[] {
  return roles.filter(({ role, cluster }) => role === 'primary' && (cluster === undefined || cluster.slots > 0))
}

/** The topology that the deployment must have. */
export interface TopologySpec {
  readonly mode: Mode
  readonly pods: number
}

const SLOTS = 16_384
const CLUSTER_PRIMARIES = 3

/**
 * Returns the reasons why Redis is not healthy, one sentence each; empty if it is healthy. `named` has the primary that
 * each Sentinel names, as a host name or empty.
 */
export function problemsOf(
  spec: TopologySpec,
  roles: readonly ServerRole[],
  named: readonly string[],
): readonly string[] {
  if (spec.mode === 'external') return []
  const missing = spec.pods - roles.length
  const unsynced = roles.filter(({ synced }) => !synced).map(({ pod }) => `${pod} is not in sync with its primary`)
  return [
    ...(missing > 0 ? [`${missing} Redis servers do not respond`] : []),
    ...unsynced,
    ...(spec.mode === 'cluster' ? clusterProblems(roles) : singleProblems(roles, named)),
  ]
}

function singleProblems(roles: readonly ServerRole[], named: readonly string[]): readonly string[] {
  const primaries = primariesOf(roles)
  const [primary] = primaries
  if (primary === undefined || primaries.length > 1) return [`${primaries.length} primaries`]
  const others = named.filter((name) => name.split('.')[0] !== primary.pod)
  return [
    ...others.map((name) => `a Sentinel names ${name || 'no server'} as primary, not ${primary.pod}`),
    ...(primary.replicas < roles.length - 1 ? [`${primary.pod} has ${primary.replicas} replicas`] : []),
  ]
}

function clusterProblems(roles: readonly ServerRole[]): readonly string[] {
  const primaries = primariesOf(roles)
  const slots = primaries.reduce((sum, { cluster }) => sum + (cluster?.slots ?? 0), 0)
  const unreplicated = primaries.filter(
    ({ cluster }) => !roles.some((other) => other.cluster?.primaryId === cluster?.id),
  )
  return [
    ...(primaries.length === CLUSTER_PRIMARIES ? [] : [`${primaries.length} primaries with slots`]),
    ...(slots === SLOTS ? [] : [`${slots} of ${SLOTS} slots are served`]),
    ...roles.filter(({ cluster }) => cluster?.ok !== true).map(({ pod }) => `${pod} reports that the cluster is down`),
    ...unreplicated.map(({ pod }) => `${pod} has no replica`),
  ]
}
