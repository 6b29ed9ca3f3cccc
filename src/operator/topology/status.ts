/** The status of a RedisTopology from what its servers and Sentinels report. Pure. */
import {
  type Condition,
  type Observation as ConditionObservation,
  secondsOf,
  withConditions,
} from '../../kube/runtime/conditions.ts'
import { diagnose, type Mode, type Problem, primariesOf, type ServerRole } from '../../redis/topology/roles.ts'
import type { Failover } from './failovers.ts'

/** What a Sentinel reports. A Sentinel that does not respond has no report. */
export interface SentinelReport {
  readonly pod: string
  /** Pod or host of the primary that it names; empty if it names none. */
  readonly names: string
  /** Sentinels that it knows, itself and departed ones included. */
  readonly knows: number
  /** `SENTINEL CKQUORUM` is OK: quorum and majority are reachable. */
  readonly hasQuorum: boolean
}

export interface TopologyObservation {
  readonly mode: Exclude<Mode, 'external'>
  /** Generation of the spec. */
  readonly generation: number
  /** Servers that the spec wants. */
  readonly size: number
  /** Replicas of each primary of a cluster. */
  readonly replicasPerShard: number
  /** Pods of the servers, in the order of their names. */
  readonly pods: readonly { readonly name: string; readonly ready: boolean }[]
  /** Servers that respond. */
  readonly roles: readonly ServerRole[]
  /** Sentinels that respond. */
  readonly sentinels: readonly SentinelReport[]
  /** Labels of the pods, as a selector. */
  readonly selector: string
}

export interface ServerStatus {
  readonly pod: string
  readonly role: 'primary' | 'replica' | 'unknown'
  readonly linked?: boolean
  readonly offset?: number
  readonly lagBytes?: number
  readonly slots?: number
}

export interface PrimaryStatus {
  readonly shard: number
  readonly pod: string
  readonly since: string
}

export interface FailoverStatus {
  readonly at: string
  readonly from: string
  readonly to: string
  readonly planned: boolean
  readonly writeGapMs: number
  readonly reason: string
}

export interface HandoverStatus {
  /** Id of the request. */
  readonly request: string
  readonly phase: 'Running' | 'Done' | 'Refused'
  readonly message: string
}

export interface TopologyStatus {
  readonly observedGeneration: number
  readonly size: number
  readonly selector: string
  readonly primaries: readonly PrimaryStatus[]
  readonly servers: readonly ServerStatus[]
  readonly sentinels?: {
    readonly agreed: number
    readonly reachable: number
    readonly known: number
    readonly canFailOver: boolean
  }
  readonly lastFailover?: FailoverStatus
  readonly handover?: HandoverStatus
  readonly conditions: readonly Condition[]
}

/** What is known beside the observation of this moment. */
export interface Progress {
  /** A failover since the last poll. Default: none. */
  readonly failover?: Failover | undefined
  /** A repair that is planned, as a reason and a sentence. Default: none. */
  readonly repair?: { readonly reason: string; readonly message: string } | undefined
  /** Repairs that a person must decide on. Default: none. */
  readonly refusals?: readonly string[]
}

/**
 * Returns the status. `before` is the status so far: a primary keeps its time while it stays primary, and a condition
 * its transition time while its status stays.
 */
export function statusOf(
  seen: TopologyObservation,
  before: Partial<TopologyStatus>,
  wallMs: number,
  progress: Progress = {},
): TopologyStatus {
  const { failover } = progress
  const lastFailover = failover === undefined ? before.lastFailover : failoverStatus(failover)
  const sentinels = seen.mode === 'sentinel' ? { sentinels: sentinelStatus(seen.sentinels) } : {}
  return {
    observedGeneration: seen.generation,
    size: seen.pods.filter(({ ready }) => ready).length,
    selector: seen.selector,
    primaries: primaryStatus(seen, before.primaries ?? [], wallMs),
    servers: serverStatus(seen),
    ...sentinels,
    ...(lastFailover === undefined ? {} : { lastFailover }),
    ...(before.handover === undefined ? {} : { handover: before.handover }),
    conditions: withConditions(before.conditions ?? [], conditionsOf(seen, progress), wallMs),
  }
}

function failoverStatus({ wallMs, ...failover }: Failover): FailoverStatus {
  return { at: secondsOf(wallMs), ...failover }
}

/** A shard keeps its number while one of its servers is in it: shards are numbered by the name of their first server. */
function primaryStatus(
  { roles, mode }: TopologyObservation,
  before: readonly PrimaryStatus[],
  wallMs: number,
): readonly PrimaryStatus[] {
  const firstOf = (primary: ServerRole): string =>
    mode === 'cluster'
      ? ([primary, ...replicasOf(primary, roles)].map(({ pod }) => pod).toSorted(byNumber)[0] ?? primary.pod)
      : primary.pod
  const primaries = primariesOf(roles).toSorted((a, b) => byNumber(firstOf(a), firstOf(b)))
  return primaries.map(({ pod }, shard) => {
    const same = before.find((one) => one.pod === pod)
    return { shard: mode === 'cluster' ? shard : 0, pod, since: same?.since ?? secondsOf(wallMs) }
  })
}

function replicasOf({ cluster }: ServerRole, roles: readonly ServerRole[]): readonly ServerRole[] {
  return roles.filter((one) => cluster !== undefined && one.cluster?.primaryId === cluster.id)
}

/** Orders `redis-2` before `redis-10`. */
function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

function serverStatus({ pods, roles }: TopologyObservation): readonly ServerStatus[] {
  return pods.map(({ name }) => {
    const role = roles.find(({ pod }) => pod === name)
    if (role === undefined) return { pod: name, role: 'unknown' }
    const { offset, synced, cluster } = role
    return {
      pod: name,
      role: role.role,
      ...(role.role === 'replica' ? { linked: synced, ...lagOf(role, roles) } : {}),
      ...(offset === undefined ? {} : { offset }),
      ...(cluster === undefined ? {} : { slots: cluster.slots }),
    }
  })
}

/** Absent if the primary is unknown, or if there are two. */
function lagOf(replica: ServerRole, roles: readonly ServerRole[]): { readonly lagBytes?: number } {
  const primaries = primariesOf(roles).filter(
    ({ cluster }) => cluster === undefined || cluster.id === replica.cluster?.primaryId,
  )
  const [primary] = primaries
  if (primaries.length !== 1 || primary?.offset === undefined || replica.offset === undefined) return {}
  // the servers report one after the other, so a replica may seem to be ahead
  return { lagBytes: Math.max(0, primary.offset - replica.offset) }
}

function sentinelStatus(reports: readonly SentinelReport[]): NonNullable<TopologyStatus['sentinels']> {
  const names = Map.groupBy(reports, ({ names: named }) => named)
  names.delete('')
  return {
    agreed: Math.max(0, ...[...names.values()].map((group) => group.length)),
    reachable: reports.length,
    known: Math.max(0, ...reports.map(({ knows }) => knows)),
    canFailOver: reports.some(({ hasQuorum }) => hasQuorum),
  }
}

/** Problems that leave the servers writable. */
const MINOR: ReadonlySet<Problem['kind']> = new Set(['ServersMissing', 'ReplicaNotInSync', 'ReplicasMissing'])

function conditionsOf(seen: TopologyObservation, progress: Progress): readonly ConditionObservation[] {
  const { mode, size, roles, sentinels, replicasPerShard, generation } = seen
  const spec = { mode, pods: size, primaries: size / (1 + replicasPerShard) }
  const problems = diagnose(
    spec,
    roles,
    sentinels.map(({ names }) => names),
  )
  const [first] = problems
  const message = problems.map(({ says }) => says).join('; ')
  const isDegraded = first !== undefined && problems.every(({ kind }) => MINOR.has(kind))
  const waiting = seen.pods.length < size || seen.pods.some(({ ready }) => !ready)
  const condition = (type: string, isTrue: boolean, reason: string, text: string): ConditionObservation => ({
    type,
    status: isTrue ? 'True' : 'False',
    reason,
    message: text,
    observedGeneration: generation,
  })
  return [
    condition('Ready', first === undefined, first?.kind ?? 'Healthy', message || 'all servers are healthy'),
    condition('Degraded', isDegraded, isDegraded ? first.kind : 'Healthy', isDegraded ? message : ''),
    condition('Progressing', waiting, waiting ? 'PodsStarting' : 'Complete', waiting ? podsMessage(seen) : ''),
    reconcilingCondition(waiting ? podsMessage(seen) : '', progress, condition),
    condition('Stalled', false, 'Observed', ''),
    failoverCondition(seen, condition),
  ]
}

/** kstatus: True while the servers are not yet as the spec wants them, and something happens to make them so. */
function reconcilingCondition(
  starting: string,
  { repair, refusals = [] }: Progress,
  condition: MakeCondition,
): ConditionObservation {
  if (repair !== undefined) return condition('Reconciling', true, repair.reason, repair.message)
  if (refusals.length > 0) return condition('Reconciling', false, 'DecisionNeeded', refusals.join('; '))
  return condition('Reconciling', starting !== '', starting === '' ? 'Complete' : 'PodsStarting', starting)
}

function podsMessage({ pods, size }: TopologyObservation): string {
  return `${pods.filter(({ ready }) => ready).length} of ${size} pods are ready`
}

type MakeCondition = (type: string, isTrue: boolean, reason: string, message: string) => ConditionObservation

/** Whether the death of one primary now would be followed by the promotion of a replica that has the data. */
function failoverCondition({ mode, roles, sentinels }: TopologyObservation, make: MakeCondition): ConditionObservation {
  const condition = (isTrue: boolean, reason: string, message: string) =>
    make('FailoverPossible', isTrue, reason, message)
  if (mode === 'standalone') return condition(false, 'Standalone', 'a single server has no replica to promote')
  const primaries = primariesOf(roles)
  if (primaries.length === 0) return condition(false, 'NoPrimary', 'there is no primary')
  const inSync = (primary: ServerRole): readonly ServerRole[] =>
    (mode === 'cluster' ? replicasOf(primary, roles) : roles.filter(({ role }) => role === 'replica')).filter(
      ({ synced }) => synced,
    )
  const alone = primaries.filter((primary) => inSync(primary).length === 0)
  if (alone.length > 0) {
    const names = alone.map(({ pod }) => pod).join(', ')
    return condition(false, 'NoReplicaInSync', `no replica is in sync with ${names}`)
  }
  if (mode === 'sentinel' && !sentinels.some(({ hasQuorum }) => hasQuorum)) {
    return condition(false, 'NoQuorum', 'too few Sentinels are reachable for quorum and majority')
  }
  return condition(true, 'ReplicaInSync', 'each primary has a replica in sync')
}
