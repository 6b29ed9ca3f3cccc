/**
 * Decisions about Redis under Sentinel, as functions of what every server said. Pure. The chart makes the same decisions
 * in shell (charts/ingot/files/redis/plans.sh); cases/*.json hold test cases that both must satisfy.
 */

/** What one Redis server says of itself before Sentinels know a primary. */
export interface ServerReport {
  readonly host: string
  readonly role: 'primary' | 'replica'
  /** Of a replica. A server that has no primary yet follows 127.0.0.1. */
  readonly primaryHost: string
  /** Of a replica. On 127.0.0.1 it records the past: `WAS_PRIMARY_PORT` means that it was a primary. */
  readonly primaryPort: number
  readonly keys: number
}

/** Address that a server follows until it gets a primary. */
export const NO_PRIMARY_HOST = '127.0.0.1'
/** Port by which a server that waits for a primary says that it was a primary itself. */
export const WAS_PRIMARY_PORT = 2

export interface ServerSet {
  /** Number of servers that the deployment has. */
  readonly servers: number
  /** Name of the StatefulSet; hosts are `SET-ORDINAL.DOMAIN`. */
  readonly set: string
  readonly domain: string
}

/**
 * Returns the server that becomes primary when the Sentinels know none: the one server that was primary, or ordinal 0
 * when all servers are empty. Returns undefined while a server does not answer, when a primary or a follower exists
 * already, and when the reports allow more than one choice.
 */
export function electPrimary(
  reports: readonly ServerReport[],
  { servers, set, domain }: ServerSet,
): string | undefined {
  const placed = reports.some(({ role, primaryHost }) => role === 'primary' || primaryHost !== NO_PRIMARY_HOST)
  if (reports.length < servers || placed) return undefined
  const former = reports.filter(({ primaryPort }) => primaryPort === WAS_PRIMARY_PORT)
  if (former.length === 1) return former[0]?.host
  if (former.length > 1 || reports.some(({ keys }) => keys > 0)) return undefined
  return `${set}-0.${domain}`
}

/** What one Sentinel says of the primary that it names. */
export interface PrimaryView {
  readonly primary: string
  /** Flags as Sentinel prints them, such as `master,s_down`. */
  readonly flags: string
  /** Milliseconds since the primary last answered this Sentinel. */
  readonly okPingMs: number
}

/** Longest time since the last answer of a primary that counts as just heard, milliseconds. */
const JUST_HEARD_MS = 2_000

/**
 * Returns true if a primary that has come back may take writes: a majority of all Sentinels has just heard from it, and
 * no Sentinel replaces it. A failover needs a majority that has not heard from it, so none can be under way then.
 */
export function isTrustedPrimary(views: readonly PrimaryView[], self: string, sentinels: number): boolean {
  if (views.some(({ flags }) => flags.includes('failover_in_progress'))) return false
  const heard = views.filter(
    ({ primary, flags, okPingMs }) => primary === self && flags === 'master' && okPingMs < JUST_HEARD_MS,
  )
  return heard.length > sentinels / 2
}

/** What one Sentinel knows of all others. */
export interface SentinelView {
  readonly host: string
  readonly primary: string
  readonly flags: string
  /** Other Sentinels that it sees alive. */
  readonly sentinels: number
  /** Replicas that it sees alive. */
  readonly replicas: number
  /** Entries of servers and Sentinels that have left the deployment. */
  readonly departed: number
  /** Entries of pods that are leaving, but are still alive. */
  readonly departing: number
  readonly hasQuorum: boolean
}

export interface SentinelSet extends ServerSet {
  readonly sentinels: number
}

const byHost = new Intl.Collator('en', { numeric: true })

/**
 * Returns the Sentinel that should forget departed entries now: the first one that has any. Returns undefined while the
 * view is partial or anything is changing, because a Sentinel that forgets knows no replica for a moment.
 */
export function sentinelToReset(views: readonly SentinelView[], spec: SentinelSet): string | undefined {
  const [first, ...others] = views.toSorted((a, b) => byHost.compare(a.host, b.host))
  if (first === undefined || views.length !== spec.sentinels) return undefined
  const agree = others.every(({ primary }) => primary === first.primary)
  if (!agree || views.some((view) => !isSettled(view, spec)) || !staysPrimary(first.primary, spec)) return undefined
  return [first, ...others].find(({ departed }) => departed > 0)?.host
}

function isSettled(view: SentinelView, { sentinels, servers }: SentinelSet): boolean {
  const { flags, departing, hasQuorum } = view
  const isComplete = view.sentinels === sentinels - 1 && view.replicas === servers - 1
  return flags === 'master' && isComplete && departing === 0 && hasQuorum
}

/** Whether the primary is one of the servers that the deployment keeps. */
function staysPrimary(primary: string, { servers, set, domain }: ServerSet): boolean {
  return Array.from({ length: servers }, (_, ordinal) => `${set}-${ordinal}.${domain}`).includes(primary)
}
