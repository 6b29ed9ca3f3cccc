/** Carries out one drill: gate, load, faults, settling, judgement. The same for a shell, for a Job and for CI. */
import { reasonOf } from '../../errors/error.ts'
import { systemClock, type Timer } from '../../std/clock.ts'
import { parseDurationMs } from '../../std/duration.ts'
import { Refusal } from '../actions/action.ts'
import { planDrill } from '../spec/scenarios.ts'
import type { FaultStatus } from '../spec/status.ts'
import type { LoadOptions } from '../targets/home.ts'
import type { DrillContext } from '../targets/kubernetes/context.ts'
import { readRelease } from '../targets/release.ts'
import { createUndoList } from '../undo.ts'
import { concluded, dryRun, unstarted } from './conclude.ts'
import { createProgress, type Progress } from './progress.ts'
import { type Drill, type DrillDeps, type DrillOutcome, enter, isoNow, type State } from './state.ts'
import { strike } from './strike.ts'
import { runUnderLoad } from './under-load.ts'

const TIMEOUT_MS = 12_000
const RATE = 20
/** The chart makes a token that covers only this collection. */
const COLLECTION = 'ingot-drill'
/** Longest judgement and clean-up after an abort, in milliseconds. */
const ABORTED_MS = 60_000

/**
 * Resolves when the verdict is known and every fault is undone, also after an abort. Rejects only if the progress cannot be
 * written. An abort whose reason is no DrillAborted counts as `Interrupted`.
 */
export async function runDrill(drill: Drill, deps: DrillDeps, signal: AbortSignal): Promise<DrillOutcome> {
  const startedAt = isoNow()
  const progress = createProgress({ phase: 'Pending', startedAt }, deps.log)
  let state: State
  try {
    state = await prepared(drill, deps, progress, signal)
  } catch (failure) {
    return unstarted(drill, deps, { progress, failure: signal.aborted ? signal.reason : failure })
  }
  if (drill.spec.dryRun === true) return dryRun(state, signal)
  return carriedOut(state, signal)
}

async function prepared(drill: Drill, deps: DrillDeps, progress: Progress, signal: AbortSignal): Promise<State> {
  const { workloads, redis, machines, say } = deps
  const release = await readRelease(workloads, signal)
  const plan = planDrill(drill.spec, release.setup.mode)
  if ('refused' in plan) throw new Refusal(plan.refused)
  const faults = plan.faults.map(({ name, action }): FaultStatus => ({ name, action, state: 'Pending' }))
  await progress.set({ faults }, signal)
  const tools = { workloads, redis, ...(machines && { machines }) }
  const context: DrillContext = { setup: release.setup, wanted: () => release.wanted, say, ...tools }
  const undo = createUndoList(tools, { write: (steps, inner) => progress.undo(steps, inner) })
  return { drill, deps, context, release, plan, progress, undo, marks: [] }
}

async function carriedOut(state: State, signal: AbortSignal): Promise<DrillOutcome> {
  const { drill, deps, progress } = state
  // the records are still collected after an abort
  using collecting = afterAbort(signal)
  try {
    return await recorded(state, signal, collecting.signal)
  } catch (failure) {
    return unstarted(drill, deps, { progress, failure: signal.aborted ? signal.reason : failure })
  }
}

/** Returns a signal that aborts some time after the given one. */
function afterAbort(signal: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const later = new AbortController()
  let timer: Timer | undefined
  const start = (): void => {
    timer = systemClock.timer(ABORTED_MS, () => later.abort(signal.reason))
  }
  if (signal.aborted) start()
  else signal.addEventListener('abort', start, { once: true })
  return {
    signal: later.signal,
    [Symbol.dispose]() {
      signal.removeEventListener('abort', start)
      timer?.cancel()
    },
  }
}

/** `signal` ends the faults, `collecting` ends everything. */
async function recorded(state: State, signal: AbortSignal, collecting: AbortSignal): Promise<DrillOutcome> {
  const { drill, deps, release } = state
  await enter(state, 'Gate', `waiting for a steady state of ${drill.spec.target.release}`, collecting)
  if (drill.spec.load?.kind === 'None') {
    const struck = await strike(state, undefined, signal)
    return concluded(state, { struck, record: undefined }, collecting)
  }
  const home = deps.home(release)
  const load = loadOf(drill)
  const drop = (): Promise<void> =>
    home.dropCollection(load.collection, collecting).catch((failure: unknown) => {
      collecting.throwIfAborted()
      deps.say(`items in the collection ${load.collection} stay: ${reasonOf(failure)}`)
    })
  // a drill that was killed has left its items
  await drop()
  const { record, result: struck } = await runUnderLoad(
    {
      home,
      load,
      say: deps.say,
      work: (records) => strike(state, records, signal),
      isCutShort: ({ aborted }) => aborted !== undefined,
    },
    collecting,
  )
  const outcome = await concluded(state, { struck, record }, collecting)
  await drop()
  return outcome
}

function loadOf({ name, spec: { load = {} } }: Drill): LoadOptions {
  const maxMs = parseDurationMs(load.maxDuration ?? '')
  return {
    run: name,
    collection: load.collection ?? COLLECTION,
    rate: load.rate ?? RATE,
    timeoutMs: parseDurationMs(load.timeout ?? '') ?? TIMEOUT_MS,
    ...(maxMs === undefined ? {} : { maxMs }),
  }
}
