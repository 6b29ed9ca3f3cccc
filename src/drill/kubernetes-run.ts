/**
 * Runs one setup from its installation to its verdicts: all its faults under one load, and each control under its own
 * load.
 */
import type { Kubectl } from '../kube/kubectl.ts'
import { createScope } from '../std/scope.ts'
import type { FaultInjection } from './faults/fault.ts'
import { kubernetesFaults, postgresKill, SKIPPED_FAULT } from './faults/kubernetes.ts'
import { type Control, isForcedOnRedis, REFERENCE, type Run, type Store, setupName } from './plan.ts'
import { costMs } from './report/goals.ts'
import { createJudge, type DrillRecord, type Judged } from './report/judge.ts'
import { type CaseResult, controlResult, drillResult, isPassed } from './report/results.ts'
import { type CaseRun, createNemesis, type FaultCase, type Nemesis, runCase } from './run-case.ts'
import { type Canary, startCanary } from './targets/kubernetes/canary.ts'
import type { DrillContext } from './targets/kubernetes/context.ts'
import { install, uninstall } from './targets/kubernetes/installation.ts'
import { type Load, startLoad } from './targets/kubernetes/load.ts'
import type { Machines } from './targets/kubernetes/machines.ts'
import { readStore } from './targets/kubernetes/store-read.ts'
import { sabotagedTag, TAGS } from './targets/kubernetes/values.ts'

export interface RunDeps {
  readonly kubectl: Kubectl
  /** Absent if the machines of the cluster cannot be reached. */
  readonly machines?: Machines
  /** Node of the store and of the load, which is never frozen. */
  readonly anchor: string
  readonly say: (line: string) => void
  /** Saves the history and the verdict of a case. */
  readonly keep: (judged: Judged, result: CaseResult) => void
  /** Saves the logs of pods and the events of the cluster. */
  readonly keepEvidence: (run: Run) => Promise<void>
  /** Iterations per second. Default: 20 with Postgres, 8 with an http store. */
  readonly rate: number | undefined
}

/** Iterations per second that two cores can serve beside the cluster itself. An iteration has two to three items. */
const RATES: Readonly<Record<Store, number>> = { postgres: 20, http: 8 }
/**
 * Timeout of a request, in milliseconds. It is longer than the longest wait of the service (`INGOT_LOCK_WAIT`, 10 s),
 * so that the figures count responses of the service and not timeouts of its clients.
 */
const TIMEOUT_MS = 12_000

/**
 * Resolves with the results of the cases. Rejects if nothing could be judged, after saving the logs. Leaves nothing in
 * the cluster.
 */
export async function runSetup(run: Run, deps: RunDeps, signal: AbortSignal): Promise<readonly CaseResult[]> {
  try {
    const results = await runInstalled(run, deps, signal)
    if (!results.every(isPassed)) await deps.keepEvidence(run)
    return results
  } catch (failure) {
    if (!signal.aborted) await deps.keepEvidence(run)
    throw failure
  } finally {
    await uninstall(deps.kubectl)
  }
}

async function runInstalled(run: Run, deps: RunDeps, signal: AbortSignal): Promise<readonly CaseResult[]> {
  const { kubectl, machines, anchor } = deps
  const say = (line: string): void => deps.say(`${setupName(run)}: ${line}`)
  say('installing')
  const installation = await install({ kubectl, setup: run, anchor }, signal)
  const context: DrillContext = { setup: run, kubectl, installation, say, ...(machines && { machines }) }
  const results = await runFaults(run, context, deps, signal)
  for (const control of run.controls) results.push(await runControl(control, context, deps, signal))
  return results
}

async function runFaults(run: Run, context: DrillContext, deps: RunDeps, signal: AbortSignal): Promise<CaseResult[]> {
  if (run.faults.length === 0) return []
  const faults = kubernetesFaults(context)
  const cases = run.faults.map((name): FaultCase => {
    return { name, fault: faults[name], redisLoss: isForcedOnRedis(name) ? 'allow' : 'forbid' }
  })
  const runs = await runUnderLoad(context, { name: 'drills', cases }, deps, signal)
  const plain = runs[run.faults.indexOf(REFERENCE)]
  const reference = plain === undefined ? {} : { referenceMs: costMs(plain.judged.outage) }
  return run.faults.flatMap((fault, index) => {
    const one = runs[index]
    return one === undefined ? [] : kept(deps, one, drillResult({ setup: run, fault, ...one, ...reference }))
  })
}

async function runControl(
  control: Control,
  context: DrillContext,
  deps: RunDeps,
  signal: AbortSignal,
): Promise<CaseResult> {
  const { name, sabotage } = control
  const tag = sabotage === undefined ? TAGS.shipped : sabotagedTag(sabotage)
  context.say(`control ${name}`)
  await context.installation.upgrade({ tag }, signal)
  const one: FaultCase = { name, fault: faultOf(control, context), redisLoss: 'allow' }
  const [judged] = await runUnderLoad(context, { name, cases: [one] }, deps, signal)
  if (judged === undefined) throw new Error(`control ${name} has no verdict`)
  return kept(deps, judged, controlResult({ setup: context.setup, control, ...judged }))
}

function kept(deps: RunDeps, { judged }: JudgedCase, result: CaseResult): CaseResult {
  deps.keep(judged, result)
  return result
}

function faultOf({ fault }: Control, context: DrillContext): FaultInjection {
  if (fault === 'skipped') return SKIPPED_FAULT
  return fault === 'postgres-kill' ? postgresKill(context) : kubernetesFaults(context)[fault]
}

/** Cases under one load. */
interface LoadRun {
  /** Names the load and its collection. Items of other loads are not judged. */
  readonly name: string
  readonly cases: readonly FaultCase[]
}

interface JudgedCase {
  readonly judged: Judged
  readonly proof: string
  readonly tookMs: number
}

/** Resolves with the judged cases in their order. */
async function runUnderLoad(
  context: DrillContext,
  { name, cases }: LoadRun,
  deps: RunDeps,
  signal: AbortSignal,
): Promise<readonly JudgedCase[]> {
  const { kubectl, setup } = context
  await using scope = createScope()
  const { anchor: node, rate = RATES[setup.store] } = deps
  const load = await startLoad(kubectl, { run: name, rate, timeoutMs: TIMEOUT_MS, node }, signal)
  scope.defer(() => load[Symbol.asyncDispose]())
  const canary = setup.mode === 'external' ? undefined : await startCanary(kubectl, node, signal)
  scope.defer(() => canary?.[Symbol.asyncDispose]())
  context.say(`k6 sends ${rate} iterations per second`)
  const nemesis = createNemesis(() => Date.now())
  const runs: CaseRun[] = []
  for (const one of cases) runs.push(await runCase(context, one, { nemesis, load }, signal))
  const record = await recordOf(context, { load, canary, nemesis, collection: name }, signal)
  const judge = createJudge(
    record,
    runs.map(({ window }) => window),
  )
  context.say(`${record.load.length} events of the load judged, ${record.canary.length} of the canary`)
  return runs.map(({ window, proof, tookMs }) => ({ judged: judge(window), proof, tookMs }))
}

interface Recorders {
  readonly load: Load
  readonly canary: Canary | undefined
  readonly nemesis: Nemesis
  readonly collection: string
}

/** Stops the recorders, sends all items again, and reads the store before and after that. */
async function recordOf(
  { kubectl, setup }: DrillContext,
  { load, canary, nemesis, collection }: Recorders,
  signal: AbortSignal,
): Promise<DrillRecord> {
  const sent = await load.stop(signal)
  const seen = (await canary?.stop(signal)) ?? []
  const before = await readStore(kubectl, setup, collection, signal)
  const again = await load.settle(signal)
  const after = await readStore(kubectl, setup, collection, signal)
  return { load: sent, nemesis: nemesis.events, canary: seen, settle: again, before, after }
}
