/**
 * Runs one setup from its installation to its verdicts: all its faults under one load, and each control under its own
 * load.
 */
import type { KubeApi } from '../kube/client/api.ts'
import type { Kubectl } from '../kube/kubectl.ts'
import { createWorkloads } from '../kube/workloads.ts'
import type { FaultInjection } from './faults/fault.ts'
import { kubernetesFaults, postgresKill, SKIPPED_FAULT } from './faults/kubernetes.ts'
import { type Control, isForcedOnRedis, REFERENCE, type Run, type Setup, type Store, setupName } from './plan.ts'
import { costMs } from './report/goals.ts'
import { createJudge, type Judged } from './report/judge.ts'
import { type CaseResult, controlResult, drillResult, isPassed } from './report/results.ts'
import { type CaseRun, type FaultCase, runCase } from './run-case.ts'
import { runUnderLoad } from './runner/under-load.ts'
import type { DrillHome } from './targets/home.ts'
import type { DrillContext } from './targets/kubernetes/context.ts'
import { type Installation, install, RELEASE, uninstall } from './targets/kubernetes/installation.ts'
import { createJobHome } from './targets/kubernetes/job-home.ts'
import type { Machines } from './targets/kubernetes/machines.ts'
import { imageOf, sabotagedTag, TAGS } from './targets/kubernetes/values.ts'
import { createShellView } from './targets/redis/shell-view.ts'

export interface RunDeps {
  readonly api: KubeApi
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

/** A release that the run has installed itself, and can upgrade. */
interface Installed extends DrillContext {
  readonly installation: Installation
}

async function runInstalled(run: Run, deps: RunDeps, signal: AbortSignal): Promise<readonly CaseResult[]> {
  const { kubectl, machines, anchor } = deps
  const say = (line: string): void => deps.say(`${setupName(run)}: ${line}`)
  say('installing')
  const installation = await install({ kubectl, setup: run, anchor }, signal)
  const workloads = createWorkloads({ api: deps.api, namespace: kubectl.namespace, release: RELEASE })
  const context: Installed = {
    setup: run,
    workloads,
    redis: createShellView(workloads),
    wanted: () => installation.wanted(),
    installation,
    say,
    ...(machines && { machines }),
  }
  const results = await runFaults(run, context, deps, signal)
  for (const control of run.controls) results.push(await runControl(control, context, deps, signal))
  return results
}

async function runFaults(run: Run, context: Installed, deps: RunDeps, signal: AbortSignal): Promise<CaseResult[]> {
  if (run.faults.length === 0) return []
  const faults = kubernetesFaults(context, context.installation)
  const cases = run.faults.map((name): FaultCase => {
    return { name, fault: faults[name], redisLoss: isForcedOnRedis(name) ? 'allow' : 'forbid' }
  })
  const runs = await runCases(context, { name: 'drills', cases }, deps, signal)
  const plain = runs[run.faults.indexOf(REFERENCE)]
  const reference = plain === undefined ? {} : { referenceMs: costMs(plain.judged.outage) }
  return run.faults.flatMap((fault, index) => {
    const one = runs[index]
    return one === undefined ? [] : kept(deps, one, drillResult({ setup: run, fault, ...one, ...reference }))
  })
}

async function runControl(
  control: Control,
  context: Installed,
  deps: RunDeps,
  signal: AbortSignal,
): Promise<CaseResult> {
  const { name, sabotage } = control
  const tag = sabotage === undefined ? TAGS.shipped : sabotagedTag(sabotage)
  context.say(`control ${name}`)
  await context.installation.upgrade({ tag }, signal)
  const one: FaultCase = { name, fault: faultOf(control, context), redisLoss: 'allow' }
  const [judged] = await runCases(context, { name, cases: [one] }, deps, signal)
  if (judged === undefined) throw new Error(`control ${name} has no verdict`)
  return kept(deps, judged, controlResult({ setup: context.setup, control, ...judged }))
}

function kept(deps: RunDeps, { judged }: JudgedCase, result: CaseResult): CaseResult {
  deps.keep(judged, result)
  return result
}

function faultOf({ fault }: Control, context: Installed): FaultInjection {
  if (fault === 'skipped') return SKIPPED_FAULT
  return fault === 'postgres-kill' ? postgresKill(context) : kubernetesFaults(context, context.installation)[fault]
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
async function runCases(
  context: DrillContext,
  { name, cases }: LoadRun,
  deps: RunDeps,
  signal: AbortSignal,
): Promise<readonly JudgedCase[]> {
  const { setup, say } = context
  const { rate = RATES[setup.store] } = deps
  const { record, result: runs } = await runUnderLoad(
    {
      home: homeOf(setup, deps),
      load: { run: name, collection: name, rate, timeoutMs: TIMEOUT_MS },
      say,
      async work(records) {
        const done: CaseRun[] = []
        for (const one of cases) done.push(await runCase(context, one, records, signal))
        return done
      },
    },
    signal,
  )
  const judge = createJudge(
    record,
    runs.map(({ window }) => window),
  )
  return runs.map(({ window, proof, tookMs }) => ({ judged: judge(window), proof, tookMs }))
}

function homeOf({ mode, store }: Setup, { kubectl, anchor }: RunDeps): DrillHome {
  return createJobHome({
    kubectl,
    release: RELEASE,
    name: RELEASE,
    image: imageOf(TAGS.shipped),
    service: RELEASE,
    hasRedis: mode !== 'external',
    store,
    node: anchor,
  })
}
