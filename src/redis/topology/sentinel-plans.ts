/**
 * Decides about the topology of Redis under Sentinel from the reports of servers and Sentinels. Pure. The chart makes the
 * same decisions in shell (charts/ingot/files/redis/topology.sh). Both must satisfy the test cases in cases/*.json.
 */

/** The state that one Redis server reports about itself before the Sentinels know a primary. */
export interface ServerReport {
  readonly host: string
  readonly role: 'primary' | 'replica'
  /** Host that a replica follows: `NO_PRIMARY_HOST` if it has no primary yet. */
  readonly primaryHost: string
  /** Port that a replica follows. On `NO_PRIMARY_HOST` it is the last role: `WAS_PRIMARY_PORT` if it was the primary. */
  readonly primaryPort: number
  readonly keys: number
}

/** Address that a server follows until it gets a primary. */
export const NO_PRIMARY_HOST = '127.0.0.1'
/** Port that a server without a primary follows if it was the last primary itself. */
export const WAS_PRIMARY_PORT = 2

/** The StatefulSet of the Redis servers. */
export interface ServerSet {
  /** Number of servers that the deployment has. */
  readonly servers: number
  /** Name of the StatefulSet; hosts are `SET-ORDINAL.DOMAIN`. */
  readonly set: string
  readonly domain: string
}

/**
 * Returns the server that becomes primary when the Sentinels know none: the last primary, or ordinal 0 if all servers are
 * empty and none was primary. Returns undefined while a server does not respond, if any server has a role already, if
 * several servers were primary, and if there are keys but no last primary.
 */
export function electPrimary(
  reports: readonly ServerReport[],
  { servers, set, domain }: ServerSet,
): string | undefined {
  const hasRoles = reports.some(({ role, primaryHost }) => role === 'primary' || primaryHost !== NO_PRIMARY_HOST)
  if (reports.length < servers || hasRoles) return undefined
  const former = reports.filter(({ primaryPort }) => primaryPort === WAS_PRIMARY_PORT)
  if (former.length === 1) return former[0]?.host
  if (former.length > 1 || reports.some(({ keys }) => keys > 0)) return undefined
  return `${set}-0.${domain}`
}

/** The state of the primary that one Sentinel reports. */
export interface PrimaryStatus {
  readonly primary: string
  /** Flags as Sentinel prints them, such as `master,s_down`. */
  readonly flags: string
  /** Milliseconds since the primary last replied to a PING of this Sentinel. */
  readonly okPingMs: number
}

/** Longest time since the last reply of a primary that counts as just heard, in milliseconds. */
const JUST_HEARD_MS = 2_000

/**
 * Returns true if a primary that has come back may take writes: a majority of all Sentinels has just heard from it, and
 * no Sentinel has a failover in progress. A failover needs a majority that has not heard from the primary.
 */
export function isTrustedPrimary(statuses: readonly PrimaryStatus[], self: string, sentinels: number): boolean {
  if (statuses.some(({ flags }) => flags.includes('failover_in_progress'))) return false
  const heard = statuses.filter(
    ({ primary, flags, okPingMs }) => primary === self && flags === 'master' && okPingMs < JUST_HEARD_MS,
  )
  return heard.length > sentinels / 2
}

/** The peers that one Sentinel reports. */
export interface SentinelReport {
  readonly host: string
  readonly primary: string
  readonly flags: string
  /** Number of other Sentinels that it sees alive. */
  readonly sentinels: number
  /** Number of replicas that it sees alive. */
  readonly replicas: number
  /** Number of peers that have left the deployment and are down. */
  readonly departed: number
  /** Number of peers that are leaving the deployment but are still alive. */
  readonly departing: number
  readonly hasQuorum: boolean
}

export interface SentinelSet extends ServerSet {
  readonly sentinels: number
}

const byHost = new Intl.Collator('en', { numeric: true })

/**
 * Returns the Sentinel that should reset its list of peers now: the first one that knows departed peers. Returns undefined
 * while the reports are incomplete or anything is changing, because after a reset a Sentinel knows no replica for a moment.
 */
export function sentinelToReset(reports: readonly SentinelReport[], spec: SentinelSet): string | undefined {
  const [first, ...others] = reports.toSorted((a, b) => byHost.compare(a.host, b.host))
  if (first === undefined || reports.length !== spec.sentinels) return undefined
  const agree = others.every(({ primary }) => primary === first.primary)
  if (!agree || reports.some((report) => !isSettled(report, spec)) || !keepsPrimary(first.primary, spec))
    return undefined
  return [first, ...others].find(({ departed }) => departed > 0)?.host
}

function isSettled(report: SentinelReport, { sentinels, servers }: SentinelSet): boolean {
  const { flags, departing, hasQuorum } = report
  const isComplete = report.sentinels === sentinels - 1 && report.replicas === servers - 1
  return flags === 'master' && isComplete && departing === 0 && hasQuorum
}

/** Returns true if the primary is one of the servers that the deployment keeps. */
function keepsPrimary(primary: string, { servers, set, domain }: ServerSet): boolean {
  return Array.from({ length: servers }, (_, ordinal) => `${set}-${ordinal}.${domain}`).includes(primary)
}
