/** Judges the records of a drill, and builds its report. */
import { reasonOf } from '../../errors/error.ts'
import { victimsOf } from '../actions/victims.ts'
import type { Event } from '../history.ts'
import { inOrder } from '../merge.ts'
import { createJudge, type DrillRecord, type Judged } from '../report/judge.ts'
import type { DrillReport } from '../report/model.ts'
import type { FaultStatus, Summary } from '../spec/status.ts'
import { observe } from '../targets/kubernetes/context.ts'
import { DrillAborted } from './aborts.ts'
import { type Criterion, evaluate } from './criteria.ts'
import type { Progress } from './progress.ts'
import { createReport } from './report.ts'
import { type Drill, type DrillDeps, type DrillOutcome, enter, isoNow, type State, type Struck } from './state.ts'
import { obstacleOf } from './strike.ts'
import { type Decision, decide, summaryOf } from './verdict.ts'

/** Resolves with the outcome of a drill whose faults are over. */
export async function concluded(
  state: State,
  { struck, record }: { readonly struck: Struck; readonly record: DrillRecord | undefined },
  signal: AbortSignal,
): Promise<DrillOutcome> {
  const { progress, plan, drill, deps } = state
  await enter(state, 'Judging', 'every record is complete', signal)
  const judgement = record === undefined ? NO_RECORD : judge(state, struck, record)
  const { criteria, judged, events } = judgement
  const faults = progress.facts.faults ?? []
  const { aborted, obstacle } = struck
  const decision = decide({
    ...(judged && { verdict: judged.verdict }),
    criteria,
    faults,
    ...(aborted && { aborted: { reason: aborted.reason, message: aborted.message } }),
    ...(obstacle && { obstacle }),
  })
  const report = createReport({
    ...frameOf(drill, deps, progress),
    title: plan.title,
    setup: state.release.setup,
    pods: await deps.workloads.pods(signal).catch(() => []),
    decision,
    summary: { ...judgement.summary, ...othersOf(progress) },
    criteria,
    verdict: judged?.verdict,
    faults,
    samples: struck.samples,
    marks: state.marks,
    load: record?.load ?? [],
    events,
  })
  return { report, events }
}

interface Judgement {
  /** All events, in order of time. */
  readonly events: readonly Event[]
  readonly criteria: readonly Criterion[]
  readonly judged?: Judged
  readonly summary?: Summary
}

const NO_RECORD: Judgement = { events: [], criteria: [] }

function judge({ plan, release }: State, { window, samples }: Struck, record: DrillRecord): Judgement {
  const judged = createJudge(record, [window])(window)
  return {
    events: inOrder([...record.load, ...record.nemesis, ...record.canary, ...record.settle]),
    judged,
    criteria: evaluate(plan.criteria, { judged, samples, shards: release.shards, injectedMs: window.injectedMs }),
    summary: summaryOf(record.load, judged.verdict, judged.outage),
  }
}

function othersOf({ facts }: Progress): Partial<Summary> {
  const bystanderErrors = facts.summary?.bystanderErrors
  return bystanderErrors === undefined ? {} : { bystanderErrors }
}

/** Returns the part of a report that every drill has. */
function frameOf(drill: Drill, { version, workloads }: DrillDeps, { facts }: Progress) {
  const startedAt = facts.startedAt ?? isoNow()
  return { drill, namespace: workloads.namespace, version, startedAt, finishedAt: isoNow() }
}

interface Unstarted {
  readonly progress: Progress
  readonly failure: unknown
}

/** Returns the outcome of a drill that has no record. */
export function unstarted(drill: Drill, deps: DrillDeps, { progress, failure }: Unstarted): DrillOutcome {
  const faults = progress.facts.faults ?? []
  const why =
    failure instanceof DrillAborted
      ? { aborted: { reason: failure.reason, message: failure.message } }
      : { obstacle: obstacleOf(failure) }
  const decision = decide({ criteria: [], faults, ...why })
  return { report: emptyReport(drill, deps, { progress, decision, faults }), events: [] }
}

interface Ending {
  readonly progress: Progress
  readonly decision: Decision
  readonly faults: readonly FaultStatus[]
}

function emptyReport(drill: Drill, deps: DrillDeps, { progress, decision, faults }: Ending): DrillReport {
  return createReport({
    ...frameOf(drill, deps, progress),
    title: drill.spec.scenario ?? 'own faults',
    setup: undefined,
    pods: [],
    decision,
    summary: {},
    criteria: [],
    verdict: undefined,
    faults,
    samples: [],
    marks: [],
    load: [],
    events: [],
  })
}

/** Lists the victims of each fault, and breaks nothing. */
export async function dryRun(state: State, signal: AbortSignal): Promise<DrillOutcome> {
  const { context, plan, progress, drill, deps } = state
  const view = await observe(context, signal)
  const earlier = new Map<string, ReturnType<typeof victimsOf>>()
  const faults = plan.faults.map((fault): FaultStatus => {
    const base = { name: fault.name, action: fault.action, state: 'Pending' as const }
    try {
      const victims = fault.target?.component === 'operator' ? [] : victimsOf(fault, view, earlier)
      earlier.set(fault.name, victims)
      return { ...base, victims: victims.map(({ name, node }) => `${name} on ${node}`) }
    } catch (failure) {
      return { ...base, state: 'Refused', proof: reasonOf(failure) }
    }
  })
  await progress.set({ faults }, signal)
  const lines = faults.map(({ name, victims = [], proof }) => `${name}: ${proof ?? victims.join(', ')}`)
  const message = `a dry run breaks nothing; it would hit ${lines.join('; ')}`
  const decision = { verdict: 'Inconclusive', reason: 'DryRun', message } as const
  return { report: emptyReport(drill, deps, { progress, decision, faults }), events: [] }
}
