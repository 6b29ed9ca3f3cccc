/**
 * `npm run e2e`: runs drills on the current kind cluster, see plan.ts. Without options (flags.ts) it runs the drills
 * that gate a change; with `--full` it runs all. Exit: 0 all passed, 1 some failed, 2 wrong usage, 4 aborted.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OUT } from '../../../drill/checkout.ts'
import { type RunDeps, runSetup } from '../../../drill/kubernetes-run.ts'
import { describeFaults, type Run, type Sabotage, setupName } from '../../../drill/plan.ts'
import { junitOf } from '../../../drill/report/junit.ts'
import { reportOf, titleOf } from '../../../drill/report/markdown.ts'
import { type Broken, type CaseResult, isPassed } from '../../../drill/report/results.ts'
import { anchorOf, kindClusterOf } from '../../../drill/targets/kind/cluster.ts'
import { createDocker, createKindMachines } from '../../../drill/targets/kind/docker.ts'
import { provideImages } from '../../../drill/targets/kind/images.ts'
import { saveEvidence } from '../../../drill/targets/kubernetes/evidence.ts'
import { NAMESPACE } from '../../../drill/targets/kubernetes/installation.ts'
import { createKubeApi } from '../../../kube/client/api.ts'
import { createKubeConnection } from '../../../kube/client/connection.ts'
import { createKubectl, currentContext } from '../../../kube/kubectl.ts'
import { nodesOf } from '../../../kube/pods.ts'
import { NODES } from '../../../kube/workloads.ts'
import { systemClock } from '../../../std/clock.ts'
import { defineCommand, EXIT, type ExitCode, type Io, orSay, runProgram } from '../../program.ts'
import { type Call, callOf, OPTIONS } from './flags.ts'

const FOLDER = join(OUT, 'e2e')

const startMs = performance.now()
const say = (line: string): void => {
  const seconds = Math.round((performance.now() - startMs) / 1_000)
  process.stdout.write(`${String(seconds).padStart(5)} s  ${line}\n`)
}

function sabotagesOf(runs: readonly Run[]): readonly Sabotage[] {
  return [...new Set(runs.flatMap(({ controls }) => controls.flatMap(({ sabotage }) => sabotage ?? [])))]
}

interface Outcome {
  readonly results: readonly CaseResult[]
  readonly broken: readonly Broken[]
}

async function drills({ runs, rate, build }: Call, signal: AbortSignal): Promise<Outcome> {
  const context = await currentContext(signal)
  const cluster = kindClusterOf(context)
  const kubectl = createKubectl(context, NAMESPACE)
  const docker = createDocker()
  const machines = createKindMachines(docker)
  using connection = createKubeConnection({ clock: systemClock, context })
  const api = createKubeApi(connection)
  const nodes = nodesOf((await api.list(NODES, {}, signal)).items)
    .map(({ name }) => name)
    .filter((name) => /worker/.test(name))
  for (const node of nodes) {
    if (await machines.isFrozen(node, { signal }))
      throw new Error(`${node} is frozen by a drill that was killed: docker unpause ${node}`)
  }
  if (build) await provideImages({ docker, cluster, nodes, say }, sabotagesOf(runs), signal)
  const keepEvidence = (run: Run): Promise<void> =>
    saveEvidence(kubectl, join(FOLDER, `${setupName(run)}-evidence`), say)
  const deps = { api, kubectl, machines, anchor: anchorOf(cluster), say, keep, keepEvidence, rate }
  const results: CaseResult[] = []
  const broken: Broken[] = []
  for (const run of runs) {
    try {
      results.push(...(await runSetup(run, deps, signal)))
    } catch (thrown) {
      signal.throwIfAborted()
      const why = thrown instanceof Error ? thrown.message : String(thrown)
      say(`${setupName(run)}: ${why}`)
      broken.push({ setup: setupName(run), why })
    }
  }
  return { results, broken }
}

const keep: RunDeps['keep'] = ({ events, window }, result) => {
  const folder = join(FOLDER, titleOf(result))
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'history.ndjson'), events.map((event) => `${JSON.stringify(event)}\n`).join(''))
  writeFileSync(join(folder, 'verdict.json'), `${JSON.stringify({ ...result, window }, null, 2)}\n`)
  say(`${titleOf(result)}: ${result.verdict.kind}${isPassed(result) ? '' : ', FAILED'}`)
}

async function drill(call: Call, { signal, stdout }: Io): Promise<ExitCode> {
  signal.addEventListener('abort', () => say('ending: cleaning up'), { once: true })
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  const { results, broken } = await drills(call, signal)
  const report = reportOf(results, broken)
  writeFileSync(join(FOLDER, 'report.md'), report)
  writeFileSync(join(FOLDER, 'junit.xml'), junitOf(results, broken))
  stdout.write(`\n${report}\n${join(FOLDER, 'report.md')}\n`)
  return results.length > 0 && broken.length === 0 && results.every(isPassed) ? EXIT.fine : EXIT.failed
}

await runProgram({
  call: 'npm run e2e --',
  summary: 'drills on the current kind cluster, under load',
  command: defineCommand({
    help: `
Installs the chart on the kind cluster of the current context. Kills and deletes pods, freezes nodes and upgrades the
release while k6 writes. Without options it runs the drills that gate a change. Reports are in out/e2e.

Exit code 0 if every drill passed, 1 if not, 2 wrong usage, 4 after Ctrl-C.`,
    examples: [
      'npm run e2e',
      'npm run e2e -- --mode cluster --fault redis-all-kill',
      'npm run e2e -- --list',
      'npm run e2e:full',
    ],
    options: OPTIONS,
    run({ values }, io) {
      if (!values.list) return orSay(io, EXIT.failed, () => drill(callOf(values), io))
      io.stdout.write(describeFaults())
      return Promise.resolve(EXIT.fine)
    },
  }),
})
