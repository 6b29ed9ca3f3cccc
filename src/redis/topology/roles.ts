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
  /** True while a replica receives the whole data of its primary, and has none of its own. Else absent. */
  readonly syncing?: true
  /** Number of replicas that follow this server. */
  readonly replicas: number
  /** Position in the replication stream, in bytes. Absent if the server did not report it. */
  readonly offset?: number
  /** Address that a replica follows, as it was given: a host name or an IP. */
  readonly follows?: Address
  /** In Redis Cluster only. */
  readonly cluster?: ClusterMember
}

export interface Address {
  readonly host: string
  readonly port: number
}

/** Another node, as one node of a cluster knows it. */
export interface ClusterPeer extends Address {
  readonly id: string
  /** Such as `slave` and `fail`. */
  readonly flags: readonly string[]
  /** The connection to it is established. */
  readonly linked: boolean
}

export interface ClusterMember {
  /** True if this server considers the cluster able to serve. */
  readonly ok: boolean
  readonly id: string
  /** Id of the primary that a replica follows; empty for a primary. */
  readonly primaryId: string
  readonly slots: number
  /** The other nodes that it knows. */
  readonly peers?: readonly ClusterPeer[]
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
    ...(fields.get('master_sync_in_progress') === '1' ? { syncing: true } : {}),
    replicas: Number(fields.get('connected_slaves') ?? 0),
    ...offsetOf(fields, role),
    ...followsOf(fields),
    ...(cluster === undefined ? {} : { cluster }),
  }
}

function offsetOf(fields: InfoFields, role: 'master' | 'slave'): { readonly offset?: number } {
  const offset = Number(fields.get(role === 'master' ? 'master_repl_offset' : 'slave_repl_offset'))
  return Number.isFinite(offset) ? { offset } : {}
}

function followsOf(fields: InfoFields): { readonly follows?: Address } {
  const host = fields.get('master_host')
  return host === undefined ? {} : { follows: { host, port: Number(fields.get('master_port') ?? 0) } }
}

/** Reads CLUSTER NODES, a line for each node: `ID ADDRESS FLAGS MASTER PING PONG EPOCH LINK SLOT…`. */
function parseClusterMember(text: string, fields: InfoFields): ClusterMember | undefined {
  const lines = text.split(/\r?\n/)
  const own = lines.find((line) => /\smyself,|\smyself\s/.test(line))
  if (own === undefined) return undefined
  const [id = '', , , primary = '-', , , , , ...slots] = own.split(' ')
  return {
    ok: fields.get('cluster_state') === 'ok',
    id,
    primaryId: primary === '-' ? '' : primary,
    slots: slots.filter((slot) => /^\d/.test(slot)).reduce((sum, slot) => sum + sizeOf(slot), 0),
    peers: lines.filter((line) => line !== own).flatMap(parsePeer),
  }
}

/** `IP:PORT@BUSPORT[,HOSTNAME]`; an unknown address has an empty IP. */
const NODE = /^([0-9a-f]{40}) (\S*):(\d+)@\d+\S* (\S+) (?:\S+ ){4}(\S+)/

function parsePeer(line: string): readonly ClusterPeer[] {
  const [, id, host = '', port, flags = '', link] = NODE.exec(line) ?? []
  if (id === undefined) return []
  return [{ id, host, port: Number(port), flags: flags.split(','), linked: link === 'connected' }]
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
  /** Primaries of a cluster. Default: 3. */
  readonly primaries?: number
}

/** A reason why Redis is not healthy. */
export interface Problem {
  readonly kind:
    | 'ServersMissing'
    | 'ReplicaNotInSync'
    | 'NoPrimary'
    | 'SeveralPrimaries'
    | 'SentinelsDisagree'
    | 'ReplicasMissing'
    | 'SlotsMissing'
    | 'ClusterDown'
  /** One sentence without a full stop. */
  readonly says: string
}

const SLOTS = 16_384
const CLUSTER_PRIMARIES = 3

/** Returns what `diagnose` finds, as sentences. */
export function problemsOf(
  spec: TopologySpec,
  roles: readonly ServerRole[],
  named: readonly string[],
): readonly string[] {
  return diagnose(spec, roles, named).map(({ says }) => says)
}

/**
 * Returns the reasons why Redis is not healthy; none if it is healthy. `named` has the primary that each Sentinel names,
 * as a host name or empty.
 */
export function diagnose(
  spec: TopologySpec,
  roles: readonly ServerRole[],
  named: readonly string[],
): readonly Problem[] {
  if (spec.mode === 'external') return []
  const missing = spec.pods - roles.length
  const unsynced = roles.filter(({ synced }) => !synced)
  return [
    ...(missing > 0 ? [problem('ServersMissing', `${missing} Redis servers do not respond`)] : []),
    ...unsynced.map(({ pod }) => problem('ReplicaNotInSync', `${pod} is not in sync with its primary`)),
    ...(spec.mode === 'cluster' ? clusterProblems(roles, spec.primaries) : singleProblems(roles, named)),
  ]
}

const problem = (kind: Problem['kind'], says: string): Problem => ({ kind, says })

function singleProblems(roles: readonly ServerRole[], named: readonly string[]): readonly Problem[] {
  const [primary, ...others] = primariesOf(roles)
  if (primary === undefined) return [problem('NoPrimary', '0 primaries')]
  if (others.length > 0) return [problem('SeveralPrimaries', `${1 + others.length} primaries`)]
  const wrong = named.filter((name) => name.split('.')[0] !== primary.pod)
  const { pod, replicas } = primary
  return [
    ...wrong.map((name) =>
      problem('SentinelsDisagree', `a Sentinel names ${name || 'no server'} as primary, not ${pod}`),
    ),
    ...(replicas < roles.length - 1 ? [problem('ReplicasMissing', `${pod} has ${replicas} replicas`)] : []),
  ]
}

function clusterProblems(roles: readonly ServerRole[], wanted = CLUSTER_PRIMARIES): readonly Problem[] {
  const primaries = primariesOf(roles)
  const slots = primaries.reduce((sum, { cluster }) => sum + (cluster?.slots ?? 0), 0)
  const down = roles.filter(({ cluster }) => cluster?.ok !== true)
  const unreplicated = primaries.filter(
    ({ cluster }) => !roles.some((other) => other.cluster?.primaryId === cluster?.id),
  )
  const count = `${primaries.length} primaries with slots`
  return [
    ...(primaries.length < wanted ? [problem('NoPrimary', count)] : []),
    ...(primaries.length > wanted ? [problem('SeveralPrimaries', count)] : []),
    ...(slots === SLOTS ? [] : [problem('SlotsMissing', `${slots} of ${SLOTS} slots are served`)]),
    ...down.map(({ pod }) => problem('ClusterDown', `${pod} reports that the cluster is down`)),
    ...unreplicated.map(({ pod }) => problem('ReplicasMissing', `${pod} has no replica`)),
  ]
}
