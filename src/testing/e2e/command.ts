/**
 * `npm run e2e`: drills on the current kind cluster, see plan.ts. Without flags those that decide whether a change may
 * land; `--full` all. Exit: 0 as it must be, 1 not so, 2 wrong usage, 4 ended early.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createDocker } from './docker.ts'
import { saveEvidence } from './evidence.ts'
import { provideImages } from './images.ts'
import { NAMESPACE } from './installation.ts'
import { junitOf } from './junit.ts'
import { createKubectl, currentContext, kindClusterOf } from './kubectl.ts'
import { ciPlan, fullPlan, planOf, type Run, type Sabotage, setupName } from './plan.ts'
import { readNodes } from './pods.ts'
import { reportOf, titleOf } from './report.ts'
import { type Broken, type CaseResult, isPassed } from './results.ts'
import { perform, type RunDeps } from './run.ts'

const OUT = join(import.meta.dirname, '..', '..', '..', 'out', 'e2e')

const startMs = performance.now()
const say = (line: string): void => {
  const seconds = Math.round((performance.now() - startMs) / 1_000)
  process.stdout.write(`${String(seconds).padStart(5)} s  ${line}\n`)
}

const ending = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    say(`${name}: cleaning up`)
    ending.abort(new Error(`ended by ${name}`))
  })
}

function flagsOf() {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    options: {
      mode: text,
      store: text,
      lock: text,
      fault: text,
      control: text,
      rate: text,
      full: { type: 'boolean' },
      'no-build': { type: 'boolean' },
    },
  })
  const { mode, store, lock, fault, control, full = false } = values
  const rate = values.rate === undefined ? undefined : Number(values.rate)
  if (rate !== undefined && !(Number.isInteger(rate) && rate >= 2 && rate % 2 === 0)) {
    throw new RangeError(`--rate is "${values.rate}", write an even number from 2`)
  }
  return {
    runs: planOf({ mode, store, lock, fault, control }, full ? fullPlan : ciPlan),
    rate,
    build: values['no-build'] !== true,
  }
}

function sabotagesOf(runs: readonly Run[]): readonly Sabotage[] {
  return [...new Set(runs.flatMap(({ controls }) => controls.flatMap(({ sabotage }) => sabotage ?? [])))]
}

interface Done {
  readonly results: readonly CaseResult[]
  readonly broken: readonly Broken[]
}

async function drills({ runs, rate, build }: ReturnType<typeof flagsOf>): Promise<Done> {
  const { signal } = ending
  const context = await currentContext(signal)
  const cluster = kindClusterOf(context)
  const kubectl = createKubectl(context, NAMESPACE)
  const docker = createDocker()
  const nodes = (await readNodes(kubectl, { signal })).map(({ name }) => name).filter((name) => /worker/.test(name))
  for (const node of nodes) {
    if (await docker.isPaused(node, { signal }))
      throw new Error(`${node} is frozen, by a drill that was cut: docker unpause ${node}`)
  }
  if (build) await provideImages({ docker, cluster, nodes, say }, sabotagesOf(runs), signal)
  const keepEvidence = (run: Run): Promise<void> => saveEvidence(kubectl, join(OUT, `${setupName(run)}-evidence`), say)
  const deps = { kubectl, docker, cluster, say, keep, keepEvidence, rate }
  const results: CaseResult[] = []
  const broken: Broken[] = []
  for (const run of runs) {
    try {
      results.push(...(await perform(run, deps, signal)))
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
  const folder = join(OUT, titleOf(result))
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'history.ndjson'), events.map((event) => `${JSON.stringify(event)}\n`).join(''))
  writeFileSync(join(folder, 'verdict.json'), `${JSON.stringify({ ...result, window }, null, 2)}\n`)
  say(`${titleOf(result)}: ${result.verdict.kind}${isPassed(result) ? '' : ', NOT AS IT MUST BE'}`)
}

async function main(): Promise<number> {
  const flags = flagsOf()
  rmSync(OUT, { recursive: true, force: true })
  mkdirSync(OUT, { recursive: true })
  const { results, broken } = await drills(flags)
  const report = reportOf(results, broken)
  writeFileSync(join(OUT, 'report.md'), report)
  writeFileSync(join(OUT, 'junit.xml'), junitOf(results, broken))
  process.stdout.write(`\n${report}\n${join(OUT, 'report.md')}\n`)
  return results.length > 0 && broken.length === 0 && results.every(isPassed) ? 0 : 1
}

async function exitCode(): Promise<number> {
  try {
    return await main()
  } catch (thrown) {
    process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
    if (ending.signal.aborted) return 4
    return thrown instanceof RangeError ? 2 : 1
  }
}

process.exitCode = await exitCode()
