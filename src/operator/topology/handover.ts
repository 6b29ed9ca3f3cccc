/**
 * Hands the role of the primary over to a replica without a loss: writes pause, the replica catches up, the Sentinels
 * promote it, and the former primary follows it. In a cluster, CLUSTER FAILOVER does the same by itself.
 */
import { IngotError, reasonOf } from '../../errors/error.ts'
import type { KubeObject } from '../../kube/client/resource.ts'
import { sentinelField } from '../../redis/probe.ts'
import { parseInfo } from '../../redis/topology/info.ts'
import type { Clock } from '../../std/clock.ts'
import { type Actors, toSentinel, toServer } from './act.ts'
import type { HandoverStatus } from './status.ts'
import type { SentinelState, ServerState, TopologyView } from './view.ts'

const HANDOVER_ANNOTATION = 'ingot.dev/handover'

export interface HandoverRequest {
  readonly id: string
  /** Server that becomes primary. Default: the one that the Sentinels choose. */
  readonly pod?: string
}

/** `ID` or `ID/POD`. */
const REQUEST = /^([0-9A-Za-z-]{1,64})(?:\/([-a-z0-9.]{1,253}))?$/

/** Returns the request that the annotation holds and that has no result yet. */
export function handoverRequest(
  { metadata: { annotations } }: KubeObject,
  done: HandoverStatus | undefined,
): HandoverRequest | undefined {
  const [, id, pod] = REQUEST.exec(annotations?.[HANDOVER_ANNOTATION] ?? '') ?? []
  if (id === undefined || (done?.request === id && done.phase !== 'Running')) return undefined
  return { id, ...(pod === undefined ? {} : { pod }) }
}

export interface HandoverContext {
  readonly view: TopologyView
  readonly actors: Actors
  readonly clock: Clock
  /** Longest pause of writes, in milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export interface HandoverOutcome extends Pick<HandoverStatus, 'phase' | 'message'> {
  /** The primary before, and when its writes paused, in milliseconds of the monotonic clock. Absent if they did not. */
  readonly paused?: { readonly pod: string; readonly atMs: number }
}

const POLL_MS = 50
/** Sentinels read the priority of a replica with INFO, every 10 s. */
const PRIORITY_MS = 15_000
/** Sentinels promote the replica with the lowest priority above 0. */
const PREFERRED = '1'

type Done = Omit<HandoverOutcome, 'phase'>

/** Resolves with the outcome. Writes go on after a refusal. Rejects only when leadership ended or the signal aborts. */
export async function handOver(request: HandoverRequest, context: HandoverContext): Promise<HandoverOutcome> {
  try {
    const done = await (context.view.mode === 'cluster'
      ? handOverShard(request, context)
      : handOverPrimary(request, context))
    return { phase: 'Done', ...done }
  } catch (cause) {
    context.signal.throwIfAborted()
    context.actors.authority.assertHeld()
    return { phase: 'Refused', message: reasonOf(cause).slice(0, 1_000) }
  }
}

function refuse(message: string): never {
  throw new IngotError('TOPOLOGY_UNOBSERVABLE', message)
}

async function handOverShard({ pod }: HandoverRequest, context: HandoverContext): Promise<Done> {
  const { view, actors } = context
  const replica = view.servers.find((server) => server.pod === pod)
  if (pod === undefined || replica === undefined) {
    return refuse('name the replica that becomes primary: a cluster has several primaries')
  }
  if (replica.role === 'primary') return refuse(`${pod} is a primary already`)
  if (!replica.synced) return refuse(`${pod} is not in sync with its primary`)
  await toServer(actors, pod, ['CLUSTER', 'FAILOVER'])
  await until(async () => (await roleOf(pod, actors)) === 'master', context, `${pod} did not become primary`)
  return { message: `${pod} is primary` }
}

async function handOverPrimary({ pod }: HandoverRequest, context: HandoverContext): Promise<Done> {
  const { view, actors } = context
  const primaries = view.servers.filter(({ role }) => role === 'primary')
  const [primary] = primaries
  if (primary === undefined || primaries.length > 1) return refuse(`there are ${primaries.length} primaries, not one`)
  if (pod === primary.pod) return refuse(`${pod} is the primary already`)
  const replicas = view.servers.filter(({ role, synced, followsPod }) => {
    return role === 'replica' && synced && followsPod === primary.pod
  })
  const wanted = pod === undefined ? replicas[0] : replicas.find((replica) => replica.pod === pod)
  if (wanted === undefined)
    return refuse(
      pod === undefined ? `no replica is in sync with ${primary.pod}` : `${pod} is not in sync with ${primary.pod}`,
    )
  const sentinel = view.sentinels.find((one) => one.hasQuorum && one.primaryPod === primary.pod)
  if (sentinel === undefined) return refuse(`no Sentinel with a quorum names ${primary.pod} as primary`)
  if (pod === undefined) return switchOver({ primary, replicas, sentinel }, context)
  const priority = await priorityOf(pod, actors)
  if (priority === '0') return refuse(`${pod} must not become primary: its replica-priority is 0`)
  await setPriority(pod, PREFERRED, context)
  try {
    await untilPreferred(pod, sentinel, context)
    return await switchOver({ primary, replicas: [wanted], sentinel }, context)
  } finally {
    // a pod that died gets its setting at its next start
    await setPriority(pod, priority, context).catch(() => undefined)
  }
}

async function priorityOf(pod: string, { serverOf }: Actors): Promise<string> {
  const reply = await serverOf(pod)?.call('CONFIG', 'GET', 'replica-priority')
  return Array.isArray(reply) ? String(reply[1]) : refuse(`${pod} reports no replica-priority`)
}

async function setPriority(pod: string, priority: string, { actors }: HandoverContext): Promise<void> {
  await toServer(actors, pod, ['CONFIG', 'SET', 'replica-priority', priority])
}

async function untilPreferred(pod: string, sentinel: SentinelState, context: HandoverContext): Promise<void> {
  const { actors } = context
  const entry = sentinel.entries.find((one) => one.kind === 'replica' && one.pod === pod)
  if (entry === undefined) return refuse(`${sentinel.pod} does not know ${pod}`)
  const isPreferred = async (): Promise<boolean> => {
    const entries = await actors.sentinelOf(sentinel.pod)?.call('SENTINEL', 'REPLICAS', actors.masterName)
    if (!Array.isArray(entries)) return false
    return entries.some((fields: unknown) => {
      const [host, port, priority] = ['ip', 'port', 'slave-priority'].map((name) => sentinelField(fields, name))
      return host === entry.host && Number(port) === entry.port && priority === PREFERRED
    })
  }
  await until(
    isPreferred,
    { ...context, timeoutMs: PRIORITY_MS },
    `${sentinel.pod} does not see the priority of ${pod}`,
  )
}

interface Switch {
  readonly primary: ServerState
  /** Replicas that may be promoted. */
  readonly replicas: readonly ServerState[]
  readonly sentinel: SentinelState
}

async function switchOver({ primary, replicas, sentinel }: Switch, context: HandoverContext): Promise<Done> {
  const { actors, timeoutMs, clock } = context
  const paused = { pod: primary.pod, atMs: clock.monotonicMs() }
  const former = actors.serverOf(primary.pod)
  await toServer(actors, primary.pod, ['CLIENT', 'PAUSE', timeoutMs, 'WRITE'])
  let isOver = false
  try {
    const targetBytes = await offsetOf(primary.pod, actors)
    await until(
      async () =>
        (await Promise.all(replicas.map(({ pod }) => offsetOf(pod, actors)))).every((at) => at >= targetBytes),
      context,
      'no replica caught up',
    )
    await toSentinel(actors, sentinel.pod, ['SENTINEL', 'FAILOVER', actors.masterName])
    // from here on a successor may exist, so writes on the former primary must stay paused
    isOver = true
    const { host, port } = await successorOf(primary, sentinel, context)
    await toServer(actors, primary.pod, ['REPLICAOF', host, port])
    await toServer(actors, primary.pod, ['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
    await toServer(actors, primary.pod, ['CLIENT', 'UNPAUSE'])
    return { message: `${primary.pod} handed over to ${host}:${port}`, paused }
  } catch (cause) {
    if (!isOver) await former?.call('CLIENT', 'UNPAUSE').catch(() => undefined)
    throw cause
  }
}

async function successorOf(
  primary: ServerState,
  sentinel: SentinelState,
  context: HandoverContext,
): Promise<{ readonly host: string; readonly port: number }> {
  const { actors } = context
  let address: readonly unknown[] = []
  const isNamed = async (): Promise<boolean> => {
    const reply = await actors.sentinelOf(sentinel.pod)?.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', actors.masterName)
    address = Array.isArray(reply) ? reply : []
    return address.length > 0 && (address[0] !== sentinel.host || Number(address[1]) !== sentinel.port)
  }
  await until(isNamed, context, `the Sentinels promoted no replica of ${primary.pod}`)
  return { host: String(address[0]), port: Number(address[1]) }
}

async function roleOf(pod: string, { serverOf }: Actors): Promise<string | undefined> {
  const info = parseInfo(String(await serverOf(pod)?.call('INFO', 'replication')))
  return info.get('role')
}

async function offsetOf(pod: string, { serverOf }: Actors): Promise<number> {
  const info = parseInfo(String(await serverOf(pod)?.call('INFO', 'replication')))
  const offset = Number(info.get(info.get('role') === 'master' ? 'master_repl_offset' : 'slave_repl_offset'))
  return Number.isFinite(offset) ? offset : refuse(`${pod} reports no offset`)
}

/** Rejects with the message after the timeout of the hand-over. */
async function until(
  isMet: () => Promise<boolean>,
  { clock, timeoutMs, signal }: HandoverContext,
  message: string,
): Promise<void> {
  const endMs = clock.monotonicMs() + timeoutMs
  while (!(await isMet())) {
    if (clock.monotonicMs() > endMs) refuse(`${message} within ${timeoutMs} ms`)
    await clock.sleep(POLL_MS, signal)
  }
}
