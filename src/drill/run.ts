/** One setup from its installation to its verdicts: its drills under one load, and its controls, each under its own. */

import type { Kubectl } from '../kube/kubectl.ts'
import { createScope } from '../std/scope.ts'
import type { DrillContext } from './faults/context.ts'
import { killPostgres, POD_FAULTS } from './faults/pod-faults.ts'
import { createNemesis, type FaultCase, type FaultRun, type Nemesis, runFault } from './faults/run-fault.ts'
import { type Control, isForcedOnRedis, REFERENCE, type Run, type Store, setupName } from './plan.ts'
import { costMs } from './report/goals.ts'
import { createJudge, type DrillRecord, type Judged } from './report/judge.ts'
import { type CaseResult, controlResult, drillResult, isPassed } from './report/results.ts'
import type { Docker } from './targets/kind/docker.ts'
import { install, uninstall } from './targets/kind/installation.ts'
import { ANCHOR, sabotagedTag, TAGS } from './targets/kind/values.ts'
import { type Canary, startCanary } from './targets/kubernetes/canary.ts'
import { type Load, startLoad } from './targets/kubernetes/load.ts'
import { readStore } from './targets/kubernetes/store-read.ts'

export interface RunDeps {
  readonly kubectl: Kubectl
  readonly docker: Docker
  /** Of kind. */
  readonly cluster: string
  readonly say: (line: string) => void
  /** Keeps what a drill left: its history and its verdict. */
  readonly keep: (judged: Judged, result: CaseResult) => void
  /** Keeps what pods said and what the cluster did. */
  readonly keepEvidence: (run: Run) => Promise<void>
  /** Iterations a second. Default: what two cores can take with this store. */
  readonly rate: number | undefined
}

/** Iterations a second, two to three items each, that two cores carry which run the whole cluster as well. */
const RATES: Readonly<Record<Store, number>> = { postgres: 20, http: 8 }
/**
 * Of one request: longer than the service's own longest wait (`INGOT_LOCK_WAIT`, 10 s), so that what is counted is what
 * it answers, not the patience of its clients.
 */
const TIMEOUT_MS = 12_000

/** Rejects when there was nothing to judge: what pods said is then kept. Leaves nothing in the cluster. */
export async function perform(run: Run, deps: RunDeps, signal: AbortSignal): Promise<readonly CaseResult[]> {
  const { kubectl } = deps
  try {
    const results = await installed(run, deps, signal)
    if (!results.every(isPassed)) await deps.keepEvidence(run)
    return results
  } catch (failure) {
    if (!signal.aborted) await deps.keepEvidence(run)
    throw failure
  } finally {
    await uninstall(kubectl)
  }
}

async function installed(run: Run, deps: RunDeps, signal: AbortSignal): Promise<readonly CaseResult[]> {
  const { kubectl, docker, cluster } = deps
  const say = (line: string): void => deps.say(`${setupName(run)}: ${line}`)
  say('installing')
  const installation = await install({ kubectl, setup: run, cluster }, signal)
  const stage: DrillContext = { setup: run, kubectl, docker, installation, say }
  const results = await drills(run, stage, deps, signal)
  for (const control of run.controls) results.push(await performControl(control, stage, deps, signal))
  return results
}

async function drills(run: Run, stage: DrillContext, deps: RunDeps, signal: AbortSignal): Promise<CaseResult[]> {
  if (run.faults.length === 0) return []
  const plots = run.faults.map((name): FaultCase => {
    return { name, inject: POD_FAULTS[name], redisLoss: isForcedOnRedis(name) ? 'allow' : 'forbid' }
  })
  const played = await underLoad(stage, { name: 'drills', plots }, deps, signal)
  const plain = played[run.faults.indexOf(REFERENCE)]
  const reference = plain === undefined ? {} : { referenceMs: costMs(plain.judged.outage) }
  return run.faults.flatMap((fault, index) => {
    const one = played[index]
    return one === undefined ? [] : kept(deps, one, drillResult({ setup: run, fault, ...one, ...reference }))
  })
}

async function performControl(
  control: Control,
  stage: DrillContext,
  deps: RunDeps,
  signal: AbortSignal,
): Promise<CaseResult> {
  const { name, sabotage } = control
  const tag = sabotage === undefined ? TAGS.shipped : sabotagedTag(sabotage)
  stage.say(`control ${name}`)
  await stage.installation.upgrade({ tag }, signal)
  const plot: FaultCase = { name, inject: strikeOf(control), redisLoss: 'allow' }
  const [one] = await underLoad(stage, { name, plots: [plot] }, deps, signal)
  if (one === undefined) throw new Error(`control ${name} has no verdict`)
  return kept(deps, one, controlResult({ setup: stage.setup, control, ...one }))
}

function kept(deps: RunDeps, { judged }: Played, result: CaseResult): CaseResult {
  deps.keep(judged, result)
  return result
}

function strikeOf({ fault }: Control): FaultCase['inject'] {
  if (fault === 'skipped') return undefined
  return fault === 'postgres-kill' ? killPostgres : POD_FAULTS[fault]
}

interface Act {
  /** Names the load, and its collection: those of other acts are left out of the judgement. */
  readonly name: string
  readonly plots: readonly FaultCase[]
}

/** Of one plot, in their order. */
interface Played {
  readonly judged: Judged
  readonly proof: string
  readonly tookMs: number
}

async function underLoad(
  stage: DrillContext,
  act: Act,
  deps: RunDeps,
  signal: AbortSignal,
): Promise<readonly Played[]> {
  const { kubectl, setup } = stage
  await using scope = createScope()
  const node = `${deps.cluster}-${ANCHOR}`
  const rate = deps.rate ?? RATES[setup.store]
  const load = await startLoad(kubectl, { run: act.name, rate, timeoutMs: TIMEOUT_MS, node }, signal)
  scope.defer(() => load[Symbol.asyncDispose]())
  const canary = setup.mode === 'external' ? undefined : await startCanary(kubectl, node, signal)
  scope.defer(() => canary?.[Symbol.asyncDispose]())
  stage.say(`k6 sends ${rate} a second`)
  const nemesis = createNemesis(() => Date.now())
  const enacted: FaultRun[] = []
  for (const plot of act.plots) enacted.push(await runFault(stage, plot, nemesis, signal))
  const record = await recordOf(stage, { load, canary, nemesis, collection: act.name }, signal)
  const judge = createJudge(
    record,
    enacted.map(({ window }) => window),
  )
  stage.say(`${record.load.length} events of the load judged, ${record.canary.length} of the canary`)
  return enacted.map(({ window, proof, tookMs }) => ({ judged: judge(window), proof, tookMs }))
}

interface Running {
  readonly load: Load
  readonly canary: Canary | undefined
  readonly nemesis: Nemesis
  readonly collection: string
}

async function recordOf(
  stage: DrillContext,
  { load, canary, nemesis, collection }: Running,
  signal: AbortSignal,
): Promise<DrillRecord> {
  const { kubectl, setup } = stage
  const sent = await load.stop(signal)
  const seen = (await canary?.stop(signal)) ?? []
  const before = await readStore(kubectl, setup, collection, signal)
  const again = await load.settle(signal)
  const after = await readStore(kubectl, setup, collection, signal)
  return { load: sent, nemesis: nemesis.events, canary: seen, settle: again, before, after }
}
