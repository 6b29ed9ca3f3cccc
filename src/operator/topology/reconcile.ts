/** Reconciles one RedisTopology: observes it, repairs it if its policy allows that, and writes the status on change. */
import type { KubeApi } from '../../kube/client/api.ts'
import { isSameJson, type Observation, withConditions } from '../../kube/runtime/conditions.ts'
import type { EventEntry, EventRecorder } from '../../kube/runtime/event-recorder.ts'
import type { Informer } from '../../kube/runtime/informer.ts'
import type { Reconcile, Reconciled } from '../../kube/runtime/work-queue.ts'
import type { ClientSettings } from '../../redis/client.ts'
import { primariesOf } from '../../redis/topology/roles.ts'
import type { Clock } from '../../std/clock.ts'
import { parseDurationMs } from '../../std/duration.ts'
import { REDIS_TOPOLOGIES } from '../kinds/redis-topology.ts'
import { type Actors, type Authority, OBSERVER_NAME, OPERATOR_NAME } from './act.ts'
import { type CredentialsReader, Obstacle } from './credentials.ts'
import { type Failover, type FailoverMemory, NO_MEMORY, pausedAt, stillPrimary, trackFailovers } from './failovers.ts'
import { handOver, handoverRequest } from './handover.ts'
import { createHealer, type Healer } from './heal.ts'
import type { TopologyMeasures } from './measures.ts'
import { createPools, masterNameOf, observe, type Pools, type Seen } from './observe.ts'
import { type Plan, planOf } from './plan.ts'
import type { PodIndex } from './pod-index.ts'
import { calmPods, failoverEvent, progressOf, readyEvent, withoutOffsets } from './rules.ts'
import { type HandoverStatus, statusOf, type TopologyStatus } from './status.ts'
import type { Spec, TopologyObject } from './topology-object.ts'
import { epochOf } from './view.ts'

export interface TopologyDeps {
  readonly api: KubeApi
  readonly topologies: Informer<TopologyObject>
  readonly pods: PodIndex
  readonly credentials: CredentialsReader
  /** Settings of the connections to Redis. The operator sets their name. */
  readonly settings: Omit<ClientSettings, 'connectionName'>
  readonly authority: Authority
  readonly events: EventRecorder
  readonly measures: TopologyMeasures
  /** Has a topology reconciled at once, because a connection ended. */
  readonly wake: (key: string) => void
  readonly clock: Clock
}

export interface TopologyReconciler extends Disposable {
  readonly reconcile: Reconcile
}

/** Time between two polls of a topology, in milliseconds. The pods of the chart look for a connection this fresh. */
const POLL_MS = 1_000
/** Offsets change all the time. A status that differs in them alone is written at most so often, in milliseconds. */
const OFFSETS_MS = 30_000
const HANDOVER_MS = 10_000
/** A turn is complete at least so often, in milliseconds, also if nothing has changed. */
const COMPLETE_MS = 60_000

/** What is kept for a topology from poll to poll. */
interface Kept {
  readonly pools: Pools
  readonly healer: Healer
  failovers: FailoverMemory
  writtenMs: number
  calm: ReadonlySet<string>
  /** The last complete turn, if it left nothing to do. */
  done: { readonly topology: TopologyObject; readonly seen: Seen; readonly atMs: number } | undefined
}

export function createTopologyReconciler(deps: TopologyDeps): TopologyReconciler {
  const reconciler = new Reconciler(deps)
  return {
    reconcile: (key, signal) => reconciler.reconcile(key, signal),
    [Symbol.dispose]: () => reconciler.closeAll(),
  }
}

/** One reconcile: the object with its parts. */
interface Turn {
  readonly key: string
  readonly topology: TopologyObject
  readonly spec: Spec
  readonly kept: Kept
  readonly actors: Actors
  readonly signal: AbortSignal
}

class Reconciler {
  readonly #deps: TopologyDeps
  readonly #kept = new Map<string, Kept>()

  constructor(deps: TopologyDeps) {
    this.#deps = deps
  }

  async reconcile(key: string, signal: AbortSignal): Promise<Reconciled | undefined> {
    const topology = this.#deps.topologies.get(key)
    if (topology === undefined || topology.metadata.deletionTimestamp !== undefined) {
      this.#close(key)
      return undefined
    }
    try {
      await this.#work(this.#turnOf(key, topology, signal))
      return { requeueAfterMs: POLL_MS }
    } catch (cause) {
      if (cause instanceof Obstacle) await this.#stall(topology, cause, signal)
      throw cause
    }
  }

  closeAll(): void {
    for (const key of this.#kept.keys()) this.#close(key)
  }

  #turnOf(key: string, topology: TopologyObject, signal: AbortSignal): Turn {
    const spec = specOf(topology)
    const kept = this.#keptFor(key)
    const { servers, sentinels } = kept.pools
    const actors: Actors = {
      authority: this.#deps.authority,
      serverOf: (pod) => servers.commandsOf(pod),
      sentinelOf: (pod) => sentinels.commandsOf(pod),
      masterName: masterNameOf(spec),
    }
    return { key, topology, spec, kept, actors, signal }
  }

  async #work(turn: Turn): Promise<void> {
    const { key, topology, kept, spec } = turn
    const { clock, measures } = this.#deps
    const seen = await this.#observe(turn)
    if (isUnchanged(kept, topology, seen, clock.monotonicMs())) return this.#goOn(turn, seen)
    kept.done = undefined
    const failover = this.#failoverIn(turn, seen)
    const plan: Plan = isHealing(spec) ? planOf(seen.view) : { actions: [], refusals: [] }
    const { before } = topology
    const status = statusOf(seen.observation, before, clock.wallMs(), progressOf(plan, failover))
    kept.calm = calmPods(status, seen, plan)
    measures.observed(key, status, epochOf(seen.view))
    await this.#report(turn, before, status, failover)
    await this.#writeIfChanged(turn, before, status)
    if (isHealing(spec)) await this.#heal(turn, seen, plan, status)
    // a status that differs in offsets alone waits
    if (kept.calm.size > 0 && isSameJson(before, status)) kept.done = { topology, seen, atMs: clock.monotonicMs() }
  }

  /** Nothing has changed since a turn that left nothing to do. The last time as primary counts for failovers. */
  #goOn({ kept }: Turn, { view }: Seen): void {
    const primaries = primariesOf(view.servers).map(({ pod }) => pod)
    kept.failovers = stillPrimary(kept.failovers, primaries, this.#deps.clock.monotonicMs())
  }

  async #heal(turn: Turn, seen: Seen, plan: Plan, status: TopologyStatus): Promise<void> {
    const { kept } = turn
    await kept.healer.heal({ ...this.#deps, ...turn, seen, plan, record: (entry) => this.#record(turn, entry) })
    await this.#serveHandover(turn, seen, status)
  }

  async #observe({ key, topology, spec, kept, signal }: Turn): Promise<Seen> {
    const { credentials, pods, settings, authority, wake } = this.#deps
    const { namespace = 'default', generation = 0 } = topology.metadata
    const name = isHealing(spec) ? OPERATOR_NAME : OBSERVER_NAME
    return observe({
      pools: kept.pools,
      spec,
      namespace,
      generation,
      access: await credentials.read(namespace, spec, signal),
      settings: { ...settings, connectionName: `${name}:${authority.number}` },
      pods,
      calm: kept.calm,
      onClosed: () => wake(key),
    })
  }

  #failoverIn({ key, kept }: Turn, { view, servers }: Seen): Failover | undefined {
    const { clock, measures } = this.#deps
    const primaries = primariesOf(view.servers).map(({ pod }) => pod)
    const idOf = new Map(view.servers.map(({ pod, cluster }) => [cluster?.id ?? pod, pod]))
    const replicas = view.servers
      .filter(({ role }) => role === 'replica')
      .map(({ pod, cluster, followsPod }) => [pod, idOf.get(cluster?.primaryId ?? followsPod ?? '')] as const)
    const staying = servers.pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    const { memory, failovers } = trackFailovers(kept.failovers, {
      nowMs: clock.monotonicMs(),
      wallMs: clock.wallMs(),
      primaries,
      isCluster: view.mode === 'cluster',
      replicas: new Map(replicas),
      staying: new Set(staying.map(({ metadata }) => metadata.name)),
    })
    kept.failovers = memory
    for (const one of failovers) measures.failedOver(key, one)
    return failovers.at(-1)
  }

  async #report(
    turn: Turn,
    before: Partial<TopologyStatus>,
    after: TopologyStatus,
    failover: Failover | undefined,
  ): Promise<void> {
    if (failover !== undefined) await this.#record(turn, failoverEvent(failover))
    const [was, is] = [before.conditions, after.conditions].map((list) => list?.find(({ type }) => type === 'Ready'))
    if (is !== undefined && was?.status !== is.status) await this.#record(turn, readyEvent(is))
    const reconciling = after.conditions.find(({ type }) => type === 'Reconciling')
    if (reconciling?.reason !== 'DecisionNeeded') return
    const note = reconciling.message
    await this.#record(turn, { type: 'Warning', reason: 'DecisionNeeded', action: 'Heal', note })
  }

  #record({ topology, signal }: Turn, entry: EventEntry): Promise<void> {
    return this.#deps.events.record(REDIS_TOPOLOGIES, topology, entry, signal)
  }

  async #serveHandover(turn: Turn, { view }: Seen, status: TopologyStatus): Promise<void> {
    const { topology, spec, actors, signal } = turn
    const request = handoverRequest(topology, status.handover)
    if (request === undefined) return
    const write = (handover: HandoverStatus): Promise<void> => this.#write(turn, { ...status, handover })
    if (status.handover?.request === request.id) {
      const message = 'the operator was interrupted: look at the primary, and ask again if it has not changed'
      return write({ request: request.id, phase: 'Refused', message })
    }
    await write({ request: request.id, phase: 'Running', message: 'writes pause until a replica has taken over' })
    const timeoutMs = parseDurationMs(spec.handover?.timeout ?? '') ?? HANDOVER_MS
    const context = { view, actors, clock: this.#deps.clock, timeoutMs, signal }
    const { phase, message, paused } = await handOver(request, context)
    if (paused !== undefined) turn.kept.failovers = pausedAt(turn.kept.failovers, paused.pod, paused.atMs)
    this.#deps.wake(turn.key)
    await write({ request: request.id, phase, message })
    const isDone = phase === 'Done'
    const reason = isDone ? 'HandoverDone' : 'HandoverRefused'
    await this.#record(turn, { type: isDone ? 'Normal' : 'Warning', reason, action: 'HandOver', note: message })
  }

  async #writeIfChanged(turn: Turn, before: Partial<TopologyStatus>, status: TopologyStatus): Promise<void> {
    if (isSameJson(before, status)) return
    const isDue = this.#deps.clock.monotonicMs() - turn.kept.writtenMs >= OFFSETS_MS
    if (!isDue && isSameJson(withoutOffsets(before), withoutOffsets(status))) return
    await this.#write(turn, status)
    turn.kept.writtenMs = this.#deps.clock.monotonicMs()
  }

  /** A topology that cannot be observed says why. The queue retries it with back-off. */
  async #stall(topology: TopologyObject, { reason, message }: Obstacle, signal: AbortSignal): Promise<void> {
    const observedGeneration = topology.metadata.generation ?? 0
    const { before } = topology
    const observations: readonly Observation[] = [
      { type: 'Stalled', status: 'True', reason, message, observedGeneration },
      { type: 'Reconciling', status: 'False', reason, message, observedGeneration },
      { type: 'Ready', status: 'Unknown', reason, message, observedGeneration },
    ]
    const conditions = withConditions(before.conditions ?? [], observations, this.#deps.clock.wallMs())
    if (isSameJson(before.conditions, conditions)) return
    await this.#write({ topology, signal }, { ...before, observedGeneration, conditions })
    const entry = { type: 'Warning', reason, action: 'Observe', note: message } as const
    await this.#deps.events.record(REDIS_TOPOLOGIES, topology, entry, signal)
  }

  async #write({ topology, signal }: Pick<Turn, 'topology' | 'signal'>, status: object): Promise<void> {
    const { name, namespace } = topology.metadata
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }) }
    await this.#deps.api.applyStatus(REDIS_TOPOLOGIES, { metadata, status }, signal)
  }

  #keptFor(key: string): Kept {
    const known = this.#kept.get(key)
    if (known !== undefined) return known
    const made = {
      pools: createPools(this.#deps.clock),
      healer: createHealer(),
      failovers: NO_MEMORY,
      writtenMs: Number.NEGATIVE_INFINITY,
      calm: new Set<string>(),
      done: undefined,
    }
    this.#kept.set(key, made)
    return made
  }

  #close(key: string): void {
    const one = this.#kept.get(key)
    this.#kept.delete(key)
    this.#deps.measures.forget(key)
    one?.pools[Symbol.dispose]()
  }
}

function isUnchanged({ done }: Kept, topology: TopologyObject, seen: Seen, nowMs: number): boolean {
  return done?.topology === topology && done.seen === seen && nowMs - done.atMs < COMPLETE_MS
}

/** Throws an Obstacle for a spec that the API server accepted by another version of the definition. */
function specOf({ spec }: TopologyObject): Spec {
  if (!('unreadable' in spec)) return spec
  const remedy = 'install the definitions of this version, and correct the spec'
  throw new Obstacle('SpecUnreadable', `this version cannot read the spec (${spec.unreadable}): ${remedy}`)
}

function isHealing({ policy, paused }: Spec): boolean {
  return policy === 'Heal' && paused !== true
}
