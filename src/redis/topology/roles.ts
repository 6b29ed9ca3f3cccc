/**
 * Who is master, by each Redis server's own word and by the Sentinels': parsed from what redis-cli prints, and what is
 * wrong with it. Pure.
 */
import { type InfoFields, parseInfo } from './info.ts'

/** How Redis is deployed. `external`: a Redis that this chart does not install. */
export const MODES = ['sentinel', 'cluster', 'standalone', 'external'] as const
export type Mode = (typeof MODES)[number]

export interface ServerRole {
  readonly pod: string
  readonly role: 'master' | 'replica'
  /** Of a replica: it has its master's data and gets what is new. */
  readonly synced: boolean
  /** Replicas that a master knows. */
  readonly replicas: number
  /** In Redis Cluster only. */
  readonly cluster?: ClusterMember
}

export interface ClusterMember {
  readonly ok: boolean
  readonly id: string
  /** Of a replica; empty of a master. */
  readonly masterId: string
  readonly slots: number
}

/** What is asked of every Redis server, in one shell. */
export const ROLE_COMMANDS = ['INFO replication', 'CLUSTER INFO', 'CLUSTER NODES'] as const

/** From the answers to ROLE_COMMANDS, one after the other; undefined when it does not answer as a server in service does. */
export function parseRole(pod: string, text: string): ServerRole | undefined {
  const fields = parseInfo(text)
  const role = fields.get('role')
  if (role !== 'master' && role !== 'slave') return undefined
  const place = clusterPlace(text, fields)
  return {
    pod,
    role: role === 'master' ? 'master' : 'replica',
    synced:
      role === 'master' || (fields.get('master_link_status') === 'up' && fields.get('master_sync_in_progress') === '0'),
    replicas: Number(fields.get('connected_slaves') ?? 0),
    ...(place === undefined ? {} : { cluster: place }),
  }
}

/** `ID ADDRESS FLAGS MASTER PING PONG EPOCH LINK SLOT…`, of the line of the server itself. */
function clusterPlace(text: string, fields: InfoFields): ClusterMember | undefined {
  const mine = text.split(/\r?\n/).find((line) => /\smyself,|\smyself\s/.test(line))
  if (mine === undefined) return undefined
  const [id = '', , , master = '-', , , , , ...slots] = mine.split(' ')
  return {
    ok: fields.get('cluster_state') === 'ok',
    id,
    masterId: master === '-' ? '' : master,
    slots: slots.filter((slot) => /^\d/.test(slot)).reduce((sum, slot) => sum + sizeOf(slot), 0),
  }
}

function sizeOf(range: string): number {
  const [first, last = first] = range.split('-').map(Number)
  return Number(last) - Number(first) + 1
}

export function primariesOf(roles: readonly ServerRole[]): readonly ServerRole[] {
  return roles.filter(({ role, cluster }) => role === 'master' && (cluster === undefined || cluster.slots > 0))
}

/** The shape that the deployment must have. */
export interface TopologySpec {
  readonly mode: Mode
  readonly pods: number
}

const SLOTS = 16_384
const CLUSTER_MASTERS = 3

/** What keeps Redis from being whole. Empty: nothing. `named` is whom each Sentinel calls the master. */
export function problemsOf(
  shape: TopologySpec,
  roles: readonly ServerRole[],
  named: readonly string[],
): readonly string[] {
  if (shape.mode === 'external') return []
  const silent = shape.pods - roles.length
  const unsynced = roles.filter(({ synced }) => !synced).map(({ pod }) => `${pod} is not in step with its master`)
  return [
    ...(silent > 0 ? [`${silent} Redis servers do not answer`] : []),
    ...unsynced,
    ...(shape.mode === 'cluster' ? clusterProblems(roles) : singleProblems(roles, named)),
  ]
}

function singleProblems(roles: readonly ServerRole[], named: readonly string[]): readonly string[] {
  const masters = primariesOf(roles)
  const [master] = masters
  if (master === undefined || masters.length > 1) return [`${masters.length} masters`]
  const others = named.filter((name) => name.split('.')[0] !== master.pod)
  return [
    ...others.map((name) => `a Sentinel calls ${name || 'nobody'} the master, not ${master.pod}`),
    ...(master.replicas < roles.length - 1 ? [`${master.pod} has ${master.replicas} replicas`] : []),
  ]
}

function clusterProblems(roles: readonly ServerRole[]): readonly string[] {
  const masters = primariesOf(roles)
  const slots = masters.reduce((sum, { cluster }) => sum + (cluster?.slots ?? 0), 0)
  const alone = masters.filter(({ cluster }) => !roles.some((other) => other.cluster?.masterId === cluster?.id))
  return [
    ...(masters.length === CLUSTER_MASTERS ? [] : [`${masters.length} masters with slots`]),
    ...(slots === SLOTS ? [] : [`${slots} of ${SLOTS} slots are served`]),
    ...roles.filter(({ cluster }) => cluster?.ok !== true).map(({ pod }) => `${pod} says that the cluster is down`),
    ...alone.map(({ pod }) => `${pod} has no replica`),
  ]
}
