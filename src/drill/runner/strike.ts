/** Waits for the steady state, injects the faults, and waits for the recovery. */
import { reasonOf } from '../../errors/error.ts'
import { systemClock } from '../../std/clock.ts'
import { parseDurationMs } from '../../std/duration.ts'
import { Refusal } from '../actions/action.ts'
import type { DrillWindow } from '../report/judge.ts'
import { missingAfter } from '../run-case.ts'
import { observe, waitUntilHealthy } from '../targets/kubernetes/context.ts'
import { DrillAborted, watchRules } from './aborts.ts'
import { fillRedis } from './bulk.ts'
import { createNemesis } from './nemesis.ts'
import type { Progress } from './progress.ts'
import { startSampler } from './sampler.ts'
import { enter, type State, type Struck } from './state.ts'
import { runTimeline } from './timeline.ts'
import { type Records, untilQuiet } from './under-load.ts'

const STEADY_MS = 10_000
const GATE_MS = 300_000

/** Waits for the steady state and injects the faults. Never rejects: what went wrong is part of the result. */
export async function strike(state: State, records: Records | undefined, outer: AbortSignal): Promise<Struck> {
  const { context, drill, progress } = state
  const ending = new AbortController()
  const signal = AbortSignal.any([outer, ending.signal])
  const fromMs = systemClock.wallMs()
  const sampler = startSampler(context, AbortSignal.any([ending.signal]))
  const watching =
    records === undefined
      ? undefined
      : watchRules(
          {
            abort: drill.spec.abort,
            load: records.load,
            bystanders: state.deps.bystanders,
            end: (reason) => ending.abort(reason),
            count: (errors) => countOthers(progress, errors),
          },
          signal,
        )
  let injectedMs: number | undefined
  const frame = () => ({
    window: windowOf(state, { fromMs, injectedMs: injectedMs ?? systemClock.wallMs() }),
    samples: sampler.samples,
  })
  try {
    await gate(state, records, signal)
    await enter(state, 'Faults', state.plan.title, signal)
    injectedMs = systemClock.wallMs()
    const nemesis = records?.nemesis ?? createNemesis(() => systemClock.wallMs())
    await runTimeline({ ...timelineOf(state), nemesis }, signal)
    await enter(state, 'Settle', 'waiting until the release is healthy', signal)
    const missing = await missingAfter(context, signal)
    nemesis.record({ process: 'nemesis', op: `${drill.name}.healed`, f: 'phase', type: 'info', key: 'healed' })
    if (records !== undefined) await untilQuiet(records.load, signal)
    const { window, samples } = frame()
    return { window: { ...window, ...(missing === undefined ? {} : { missing }) }, samples }
  } catch (failure) {
    const aborted = abortOf(signal, failure)
    if (aborted !== undefined) return { ...frame(), aborted }
    return { ...frame(), obstacle: obstacleOf(failure) }
  } finally {
    await sampler.stop()
    ending.abort(new Error('the faults are over'))
    await watching
  }
}

function timelineOf({ context, deps, plan, drill, undo, progress }: State) {
  return {
    context,
    operator: (signal: AbortSignal) => deps.operator(context, signal),
    faults: plan.faults,
    isOwn: plan.isOwn,
    safety: drill.spec.safety,
    undo,
    progress,
    losesLocks: plan.criteria.redisLoss !== 'Forbid',
  }
}

function windowOf({ drill, plan }: State, times: Pick<DrillWindow, 'fromMs' | 'injectedMs'>): DrillWindow {
  const { redisLoss, recoveredWithin } = plan.criteria
  const recoveryMs = parseDurationMs(recoveredWithin ?? '')
  return {
    name: drill.name,
    ...times,
    untilMs: Math.max(systemClock.wallMs(), times.injectedMs + 1),
    redisLoss: redisLoss === 'Forbid' ? 'forbid' : 'allow',
    ...(recoveryMs === undefined ? {} : { recoveryMs }),
  }
}

/** Resolves when the release was healthy, and no write failed, for long enough. Rejects with a GateClosed. */
async function gate(state: State, records: Records | undefined, signal: AbortSignal): Promise<void> {
  const { context, drill, plan } = state
  const steadyMs = parseDurationMs(drill.spec.gate?.steadyFor ?? '') ?? STEADY_MS
  const withinMs = parseDurationMs(drill.spec.gate?.timeout ?? '') ?? GATE_MS
  try {
    const endMs = systemClock.monotonicMs() + withinMs
    await waitUntilHealthy(context, signal, withinMs)
    await fillRedis(context, plan.bulkMb, signal)
    if (records === undefined) return await systemClock.sleep(steadyMs, signal)
    await enter(state, 'Load', `the load runs; steady for ${steadyMs / 1_000} s`, signal)
    for (;;) {
      const problems = await problemsAfter(steadyMs, { state, records }, signal)
      if (problems.length === 0) return
      if (systemClock.monotonicMs() > endMs) throw new Error(problems.join('; '))
    }
  } catch (failure) {
    signal.throwIfAborted()
    throw new GateClosed(reasonOf(failure), { cause: failure })
  }
}

interface UnderGate {
  readonly state: State
  readonly records: Records
}

/** Waits, and resolves with the problems of that time. */
async function problemsAfter(
  ms: number,
  { state, records }: UnderGate,
  signal: AbortSignal,
): Promise<readonly string[]> {
  await systemClock.sleep(ms, signal)
  const { problems } = await observe(state.context, signal)
  const { requests, failed } = await records.load.since(systemClock.wallMs() - ms, signal)
  if (failed === 0 && requests > 0) return problems
  return [...problems, `${failed} of ${requests} requests failed`]
}

class GateClosed extends Error {}

function abortOf(signal: AbortSignal, failure: unknown): DrillAborted | undefined {
  if (failure instanceof DrillAborted) return failure
  if (!signal.aborted) return undefined
  const reason: unknown = signal.reason
  return reason instanceof DrillAborted ? reason : new DrillAborted('Interrupted', reasonOf(reason))
}

export function obstacleOf(failure: unknown): { readonly reason: string; readonly message: string } {
  if (failure instanceof GateClosed)
    return { reason: 'NotSteady', message: `there was no steady state: ${failure.message}` }
  if (failure instanceof Refusal) return { reason: 'Refused', message: failure.message }
  return { reason: 'RunnerFailed', message: reasonOf(failure) }
}

function countOthers(progress: Progress, bystanderErrors: number): void {
  const { summary } = progress.facts
  if (summary?.bystanderErrors === bystanderErrors) return
  const zero = { attempted: 0, acknowledged: 0, indeterminate: 0, rejected: 0, secondsWithoutWrite: 0 }
  // the next write of the progress has it too
  void progress
    .set({ summary: { ...zero, ...summary, bystanderErrors } }, AbortSignal.timeout(10_000))
    .catch(() => undefined)
}
