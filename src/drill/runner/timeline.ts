/**
 * Injects the faults of a drill in their order. Each fault waits for its condition, and is then proven, held and undone
 * while the next ones may begin.
 */
import { ofComponent, type Pod } from '../../kube/pods.ts'
import { untilSeen } from '../../kube/until.ts'
import { systemClock } from '../../std/clock.ts'
import { parseDurationMs } from '../../std/duration.ts'
import { createRandom } from '../../std/random.ts'
import { type PreparedAction, Refusal } from '../actions/action.ts'
import { ACTION } from '../actions/table.ts'
import { beyondSafety, victimsOf } from '../actions/victims.ts'
import type { FaultInjection, Injection } from '../faults/fault.ts'
import { runFault } from '../faults/run-fault.ts'
import type { Entry } from '../history.ts'
import type { DrillSpec, FaultSpec } from '../spec/schema.ts'
import type { FaultStatus } from '../spec/status.ts'
import { type DrillContext, observe, type View, waitUntilHealthy } from '../targets/kubernetes/context.ts'
import type { UndoList } from '../undo.ts'
import type { Nemesis } from './nemesis.ts'
import type { Progress } from './progress.ts'

export interface Timeline {
  readonly context: DrillContext
  /** Resolves with the context of the operator's pods. Rejects with a Refusal if they cannot be reached. */
  readonly operator: (signal: AbortSignal) => Promise<DrillContext>
  readonly faults: readonly FaultSpec[]
  readonly isOwn: boolean
  readonly safety: DrillSpec['safety']
  readonly undo: UndoList
  readonly nemesis: Nemesis
  readonly progress: Progress
  /** True if Redis may lose acknowledged writes, and with them locks. */
  readonly losesLocks: boolean
}

export interface TimelineResult {
  /** Time of the first injection. Absent if nothing was injected. Milliseconds since the Unix epoch. */
  readonly injectedMs?: number
  /** Why faults were refused. */
  readonly refusals: readonly string[]
}

const HOLD_MS = 10_000
const NEW_PRIMARY_MS = 120_000

/** A fault that was started. */
interface Started {
  readonly victims: readonly Pod[]
  /** Primaries just before the injection, with their UIDs. */
  readonly primaries: ReadonlySet<string>
  readonly injected: Promise<void>
  readonly done: Promise<void>
}

/** Resolves when all faults are proven and undone. Rejects with the signal's reason; then all faults are undone too. */
export async function runTimeline(timeline: Timeline, signal: AbortSignal): Promise<TimelineResult> {
  const started = new Map<string, Started>()
  const refusals: string[] = []
  let last: Started | undefined
  try {
    for (const fault of timeline.faults) {
      await awaitTurn(timeline, fault, last, signal)
      const one = start(timeline, fault, { started, refusals }, signal)
      started.set(fault.name, await one)
      last = started.get(fault.name)
      await last?.injected
    }
  } finally {
    await Promise.allSettled([...started.values()].map(({ done }) => done))
  }
  signal.throwIfAborted()
  const [first] = timeline.nemesis.events.filter(({ f, type }) => f === 'fault' && type === 'invoke')
  return { refusals, ...(first === undefined ? {} : { injectedMs: first.tMono }) }
}

/** Waits for the condition of a fault, and then for its delay. */
async function awaitTurn(
  { context }: Timeline,
  { when = 'Injected', after = '0s' }: FaultSpec,
  last: Started | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (when === 'Recovered') {
    await last?.done
    await waitUntilHealthy(context, signal)
  }
  if (when === 'Proven') await last?.done
  if (when === 'NewPrimary' && last !== undefined) await newPrimary(context, last.primaries, signal)
  await systemClock.sleep(parseDurationMs(after) ?? 0, signal)
}

const keyOf = (pod: string, view: Pick<View, 'pods'>): string =>
  `${pod}/${view.pods.find(({ name }) => name === pod)?.uid ?? ''}`

function primaryKeys(view: Pick<View, 'pods' | 'roles'>): ReadonlySet<string> {
  return new Set(view.roles.filter(({ role }) => role === 'primary').map(({ pod }) => keyOf(pod, view)))
}

/**
 * Resolves when a server is primary that was none before. A fault may need that moment, so the servers that were replicas
 * are watched closely first.
 */
async function newPrimary(context: DrillContext, before: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
  const formers = new Set([...before].map((key) => key.split('/')[0]))
  const others = ofComponent(await context.workloads.pods(signal), 'redis').filter(({ name }) => !formers.has(name))
  const options = { signal, timeoutMs: NEW_PRIMARY_MS }
  const found = await context.redis.awaitPrimary(others, options).catch(() => undefined)
  signal.throwIfAborted()
  if (found !== undefined) return
  await untilSeen(
    async () => {
      const now = [...primaryKeys(await observe(context, signal))]
      return now.some((key) => !before.has(key)) ? { value: true } : { missing: 'a new primary' }
    },
    NEW_PRIMARY_MS,
    signal,
  )
}

interface Book {
  readonly started: ReadonlyMap<string, Started>
  readonly refusals: string[]
}

/** Starts one fault. Resolves when its victims are chosen. */
async function start(timeline: Timeline, fault: FaultSpec, { started, refusals }: Book, signal: AbortSignal) {
  const { nemesis, progress, losesLocks } = timeline
  const injected = Promise.withResolvers<void>()
  const chosen = Promise.withResolvers<Pick<Started, 'victims' | 'primaries'>>()
  let struckAt: string | undefined
  const injection: FaultInjection = {
    name: fault.name,
    losesLocks,
    async prepare(_random, inner) {
      const { action, victims, before } = await prepare(timeline, fault, started, inner)
      chosen.resolve({ victims, primaries: primaryKeys(before) })
      const names = victims.map(({ name, node }) => (node === '' ? name : `${name} on ${node}`))
      return bound(timeline, fault, action, async (phase, bounded) => {
        if (phase === 'injecting') struckAt = now()
        if (phase === 'injected') injected.resolve()
        if (phase === 'injecting') return
        const at = struckAt === undefined ? {} : { struckAt }
        await progress.fault(fault.name, { ...CHANGES[phase](), ...at, victims: names }, bounded)
      })
    },
  }
  const options = {
    op: `fault-${fault.name}`,
    random: createRandom(0),
    clock: systemClock,
    record: (entry: Entry) => nemesis.record(entry),
    signal,
  }
  const done = runFault(injection, options).then(({ isProven, says, cause }) => {
    const isRefused = cause instanceof Refusal
    if (isRefused) refusals.push(`${fault.name}: ${says}`)
    const state = isProven ? 'Proven' : isRefused ? 'Refused' : 'Unproven'
    return progress.fault(fault.name, { state, proof: says.slice(0, 4_000) }, signal)
  })
  // a fault that cannot be prepared has no victims, and the next ones go on without it
  const ended = done
    .catch(() => undefined)
    .then(() => {
      injected.resolve()
      chosen.resolve({ victims: [], primaries: new Set() })
    })
  return { ...(await chosen.promise), injected: injected.promise, done: ended } satisfies Started
}

type Step = 'injecting' | 'injected' | 'proven' | 'undone'

/** What a step changes in the status of its fault. */
const CHANGES: Readonly<Record<Exclude<Step, 'injecting'>, () => Partial<FaultStatus>>> = {
  injected: () => ({ state: 'Injected' }),
  proven: () => ({ state: 'Proven', provenAt: now() }),
  undone: () => ({ undoneAt: now() }),
}

const now = (): string => new Date(systemClock.wallMs()).toISOString()

interface Prepared {
  readonly action: PreparedAction
  readonly victims: readonly Pod[]
  readonly before: View
}

async function prepare(
  timeline: Timeline,
  fault: FaultSpec,
  started: ReadonlyMap<string, Started>,
  signal: AbortSignal,
): Promise<Prepared> {
  const { isOwn, safety } = timeline
  const isOperator = fault.target?.component === 'operator'
  const context = isOperator ? await timeline.operator(signal) : timeline.context
  const before = await observe(context, signal)
  const earlier = new Map([...started].map(([name, one]) => [name, one.victims]))
  const victims = victimsOf(fault, before, earlier)
  const why = beyondSafety({ broken: victims, view: before, mode: context.setup.mode, isOwn }, safety)
  if (why !== undefined) throw new Refusal(why)
  const holdMs = parseDurationMs(fault.hold ?? '') ?? HOLD_MS
  const action = await ACTION[fault.action]({ context, fault, before, victims, holdMs }, signal)
  return { action, victims, before }
}

/** Records the undo steps before the injection, and carries them out after it. */
function bound(
  { undo }: Timeline,
  fault: FaultSpec,
  action: PreparedAction,
  report: (step: Step, signal: AbortSignal) => Promise<void>,
): Injection {
  const steps = action.undo.map((step, index) => ({ id: `${fault.name}-${index}`, fault: fault.name, ...step }))
  return {
    ...(action.isHeld === true ? { holdMs: parseDurationMs(fault.hold ?? '') ?? HOLD_MS } : {}),
    async inject(signal) {
      await undo.add(steps, signal)
      await report('injecting', signal)
      await action.inject(signal)
      await report('injected', signal)
    },
    async prove(signal) {
      const proof = await action.prove(signal)
      await report('proven', signal)
      return proof
    },
    async undo(deadline) {
      if (!undo.steps.some((step) => step.fault === fault.name)) return
      await undo.undo(fault.name, deadline)
      await report('undone', deadline)
    },
  }
}
