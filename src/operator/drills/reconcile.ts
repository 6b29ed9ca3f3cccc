/** Carries out what `planDrill` decides. */

import { FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import type { KubeApi } from '../../kube/client/api.ts'
import type { Resource } from '../../kube/client/resource.ts'
import { secondsOf } from '../../kube/runtime/conditions.ts'
import type { EventRecorder } from '../../kube/runtime/event-recorder.ts'
import type { Informer } from '../../kube/runtime/informer.ts'
import type { Reconciled } from '../../kube/runtime/work-queue.ts'
import type { Clock } from '../../std/clock.ts'
import {
  ABORT_ANNOTATION,
  ABORTED_AT_ANNOTATION,
  abortedAtOf,
  abortOf,
  type DrillObject,
  isFinished,
  keepDrill,
  UNDO_FINALIZER,
} from './drill-object.ts'
import { type Decision, type DrillView, type Obstacle, planDrill, WAIT_MS } from './plan.ts'
import { findRelease, type ServiceFacts } from './release.ts'
import { type JobFacts, jobNameOf, runnerJob, undoJob } from './runner-job.ts'
import { createTargetLeases, type TargetLeases } from './target-lease.ts'
import { runnerState, undoState } from './worker-state.ts'
import { JOBS, type Worker } from './workers.ts'
import { createDrillWriter, type DrillWriter, type Turn, turnOf } from './writer.ts'

export interface DrillDeps {
  readonly api: KubeApi
  readonly drills: Informer<DrillObject>
  readonly jobs: Informer<Worker>
  readonly pods: Informer<Worker>
  readonly events: EventRecorder
  readonly clock: Clock
  /** `--no-drills`. */
  readonly isDisabled: boolean
}

export interface DrillReconciler {
  reconcile(key: string, signal: AbortSignal): Promise<Reconciled | undefined>
}

const NAMESPACES: Resource = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false }
const ALLOW_LABEL = 'ingot.dev/drills'
const STOP_ANNOTATION = 'ingot.dev/drills-stop'

export function createDrillReconciler(deps: DrillDeps): DrillReconciler {
  return new Reconciler(deps)
}

class Reconciler implements DrillReconciler {
  readonly #deps: DrillDeps
  readonly #leases: TargetLeases
  readonly #writer: DrillWriter
  /** Drills whose target was freed. */
  readonly #closed = new Set<string>()
  /** Why runners ended, by the UID of the drill: their Jobs are deleted. */
  readonly #ends = new Map<string, string>()
  /** Since when running drills have no pod, by their UID. */
  readonly #podless = new Map<string, number>()

  constructor(deps: DrillDeps) {
    this.#deps = deps
    this.#writer = createDrillWriter(deps)
    const isRunning = (uid: string): boolean =>
      deps.drills.all().some((drill) => drill.metadata.uid === uid && !isFinished(drill))
    this.#leases = createTargetLeases({ ...deps, isRunning })
  }

  async reconcile(key: string, signal: AbortSignal): Promise<Reconciled | undefined> {
    const cached = this.#deps.drills.get(key)
    if (cached === undefined) return undefined
    const first = planDrill(await this.#view(turnOf(cached, signal)))
    if (first.kind === 'nothing') return again(first.againMs)
    // the caches may be behind: a runner writes its verdict before it ends
    const fresh = await this.#deps.api.get(FAILOVER_DRILLS, turnOf(cached, signal).at, signal)
    if (fresh === undefined || fresh.metadata.uid !== cached.metadata.uid) return undefined
    const turn = turnOf(keepDrill(fresh), signal)
    return this.#act(turn, planDrill(await this.#view(turn)))
  }

  async #view({ drill, at, uid, signal }: Turn): Promise<DrillView> {
    const { status, spec, metadata } = drill
    const jobs = this.#deps.jobs.all().filter((job) => job.drillUid === uid)
    const pods = this.#deps.pods.all().filter((pod) => pod.drillUid === uid)
    const nowMs = this.#deps.clock.wallMs()
    const facts = { jobs, pods, hasReported: status.startedAt !== undefined, nowMs }
    const podlessSinceMs = this.#podlessSince(uid, pods.length > 0, nowMs)
    const runner = runnerState({ ...facts, podlessSinceMs })
    const abort = abortOf(drill)
    return {
      status,
      hasFinalizer: drill.hasFinalizer,
      isDeleted: metadata.deletionTimestamp !== undefined,
      isCancelled: !('unreadable' in spec) && spec.cancel === true,
      isDisabled: this.#deps.isDisabled,
      ...(isFinished(drill)
        ? { isStopped: false, obstacle: undefined }
        : await this.#namespace(at.namespace, drill, signal)),
      abort: abort === undefined ? undefined : { reason: abort, atMs: abortedAtOf(drill) },
      runner: runner.kind === 'absent' ? this.#remembered(uid) : runner,
      undo: undoState(facts),
      nowMs,
    }
  }

  #remembered(uid: string): DrillView['runner'] {
    const why = this.#ends.get(uid)
    return why === undefined ? { kind: 'absent' } : { kind: 'ended', why }
  }

  #podlessSince(uid: string, hasPod: boolean, nowMs: number): number | undefined {
    if (hasPod) {
      this.#podless.delete(uid)
      return undefined
    }
    const since = this.#podless.get(uid) ?? nowMs
    this.#podless.set(uid, since)
    return since
  }

  async #namespace(
    name: string,
    { spec }: DrillObject,
    signal: AbortSignal,
  ): Promise<Pick<DrillView, 'isStopped' | 'obstacle'>> {
    const namespace = await this.#deps.api.get(NAMESPACES, { name }, signal)
    const { labels = {}, annotations = {} } = namespace?.metadata ?? {}
    const isStopped = annotations[STOP_ANNOTATION] === 'true'
    return { isStopped, obstacle: obstacleOf(name, labels[ALLOW_LABEL], spec) }
  }

  async #act(turn: Turn, decision: Decision): Promise<Reconciled | undefined> {
    switch (decision.kind) {
      case 'nothing':
        return again(decision.againMs)
      case 'hold':
        return this.#hold(turn, decision.obstacle)
      case 'start':
        return this.#start(turn)
      case 'abort':
        return this.#abort(turn, decision.reason)
      case 'end':
        return this.#end(turn, decision.why)
      case 'undo':
        return this.#undo(turn, decision)
      case 'reportLeft':
        return this.#reportLeft(turn, decision.message)
      case 'finish': {
        const { verdict, reason, message } = decision
        await this.#writer.write(turn, { ...turn.drill.status, verdict, reason, message })
        return again(0)
      }
      case 'close':
        return this.#close(turn)
      default:
        return decision satisfies never
    }
  }

  async #hold(turn: Turn, { reason, message }: Obstacle): Promise<Reconciled | undefined> {
    const { status } = turn.drill
    await this.#writer.write(turn, { ...status, phase: 'Pending', reason, message })
    // only a release with drills gives the right to write Events
    const isKnown = reason === 'TargetBusy' && status.reason !== reason
    if (isKnown) await this.#writer.event(turn, 'Warning', 'DrillRefused', `${reason}: ${message}`)
    return again(WAIT_MS)
  }

  async #start(turn: Turn): Promise<Reconciled | undefined> {
    const { drill, at, uid, signal } = turn
    const facts = await this.#facts(turn)
    if ('reason' in facts) return this.#hold(turn, facts)
    const { release } = facts.spec.target
    const holder = await this.#leases.take({ ...at, release }, uid, signal)
    if (holder !== undefined) return this.#hold(turn, this.#busy(release, holder))
    const job = jobNameOf(facts.drill, 'run')
    const message = `the Job ${job} runs the drill`
    await this.#writer.write(turn, { ...drill.status, phase: 'Pending', reason: 'Started', message, job })
    await this.#writer.createJob(runnerJob(facts), signal)
    await this.#writer.event(turn, 'Normal', 'DrillStarted', message)
    return again(1_000)
  }

  #busy(release: string, holder: string): Obstacle {
    const other = this.#deps.drills.all().find(({ metadata }) => metadata.uid === holder)
    const name = other === undefined ? holder : `the drill ${other.metadata.name}`
    return { reason: 'TargetBusy', message: `${name} uses the release ${release}; this drill starts after it` }
  }

  async #facts({ drill, at, uid, signal }: Turn): Promise<JobFacts | Obstacle> {
    const { spec } = drill
    if ('unreadable' in spec) return unreadable(spec.unreadable)
    const service: ServiceFacts | Obstacle = await findRelease(
      this.#deps.api,
      { namespace: at.namespace, release: spec.target.release },
      signal,
    )
    return 'reason' in service ? service : { drill: { ...at, uid }, spec, service }
  }

  async #abort(turn: Turn, reason: string): Promise<Reconciled | undefined> {
    const annotations = {
      [ABORT_ANNOTATION]: reason,
      [ABORTED_AT_ANNOTATION]: secondsOf(this.#deps.clock.wallMs()),
    }
    await this.#deps.api.patch(FAILOVER_DRILLS, turn.at, { metadata: { annotations } }, turn.signal)
    await this.#writer.event(
      turn,
      'Normal',
      'DrillAborting',
      `the runner is to abort and to undo its faults: ${reason}`,
    )
    return again(1_000)
  }

  async #end({ drill, at, uid, signal }: Turn, why: string): Promise<Reconciled | undefined> {
    this.#ends.set(uid, why)
    const name = drill.status.job ?? jobNameOf({ ...at, uid }, 'run')
    await this.#deps.api.delete(JOBS, { namespace: at.namespace, name }, signal, 'foreground')
    return again(500)
  }

  async #undo(
    turn: Turn,
    { attempt, why }: { readonly attempt: number; readonly why: string },
  ): Promise<Reconciled | undefined> {
    const { drill, signal } = turn
    const facts = await this.#facts(turn)
    if ('reason' in facts) {
      await this.#reportLeft(turn, `the faults cannot be undone: ${facts.message}`)
      return again(WAIT_MS)
    }
    const message = `${why}; its faults are being undone`
    // a later attempt goes on saying what is left
    if (attempt === 1) await this.#writer.write(turn, { ...drill.status, reason: 'Undoing', message })
    await this.#writer.createJob(undoJob(facts, attempt), signal)
    await this.#writer.event(turn, 'Warning', 'UndoStarted', message)
    return again(1_000)
  }

  async #reportLeft(turn: Turn, message: string): Promise<Reconciled | undefined> {
    await this.#writer.write(turn, { ...turn.drill.status, reason: 'UndoFailed', message })
    await this.#writer.event(turn, 'Warning', 'UndoFailed', message)
    return again(0)
  }

  async #close(turn: Turn): Promise<Reconciled | undefined> {
    const { drill, at, uid, signal } = turn
    if (drill.status.reason === 'UndoFailed' && isFinished(drill)) {
      // nothing is left any more
      await this.#writer.write(turn, drill.status)
      return again(0)
    }
    if (drill.hasFinalizer) {
      const { finalizers = [], resourceVersion } = drill.metadata as {
        finalizers?: readonly string[]
        resourceVersion?: string
      }
      const kept = finalizers.filter((one) => one !== UNDO_FINALIZER)
      await this.#deps.api.patch(FAILOVER_DRILLS, at, { metadata: { finalizers: kept, resourceVersion } }, signal)
    }
    this.#ends.delete(uid)
    this.#podless.delete(uid)
    if (this.#closed.has(uid) || 'unreadable' in drill.spec) return undefined
    const wasHeld = await this.#leases.free({ ...at, release: drill.spec.target.release }, uid, signal)
    this.#closed.add(uid)
    if (!wasHeld) return undefined
    const { verdict = 'Aborted', message = '' } = drill.status
    const type = verdict === 'Pass' ? 'Normal' : 'Warning'
    await this.#writer.event(turn, type, 'DrillFinished', `${verdict}: ${message}`)
    return undefined
  }
}

function again(ms: number | undefined): Reconciled | undefined {
  return ms === undefined ? undefined : { requeueAfterMs: ms }
}

function unreadable(problem: string): Obstacle {
  return {
    reason: 'SpecUnreadable',
    message: `this version cannot read the spec (${problem}): install the definitions of this version, and create the drill again`,
  }
}

function obstacleOf(namespace: string, label: string | undefined, spec: DrillObject['spec']): Obstacle | undefined {
  if ('unreadable' in spec) return unreadable(spec.unreadable)
  if (label === 'allowed') return undefined
  const message = `the namespace does not allow drills: kubectl label namespace ${namespace} ${ALLOW_LABEL}=allowed`
  return { reason: 'NamespaceClosed', message }
}
