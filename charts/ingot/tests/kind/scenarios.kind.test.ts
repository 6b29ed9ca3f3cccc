/**
 * D1 to D12 on a real cluster, each from the operator and from a shell. DRILL_MODE selects the deployment of Redis
 * (`sentinel`, `cluster`), DRILL_ONLY some scenarios (`D1,D11`). Needs kind with the images ingot:dev, redis:8.0 and
 * grafana/k6:1.8.1. The verdicts are written to out/chart-kind/scenarios-MODE.json.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { OUT, ROOT } from '../../../../src/drill/checkout.ts'
import { SCENARIO_NAMES, type ScenarioName } from '../../../../src/drill/spec/schema.ts'
import type { DrillStatus } from '../../../../src/drill/spec/status.ts'
import { createDocker, createKindMachines } from '../../../../src/drill/targets/kind/docker.ts'
import { eventually, kubectl } from './cluster.ts'
import { drillRelease, expectNothingLeft, finished, MODE, plugin, start, statusOf } from './drill-release.ts'

const FOLDER = join(ROOT, 'k8s', 'drills')
const MANIFESTS = readdirSync(FOLDER)
const machines = createKindMachines(createDocker())
const target = { release: 'ingot' }
const chosen = process.env['DRILL_ONLY']?.split(',') ?? SCENARIO_NAMES
const figures: Record<string, unknown>[] = []

drillRelease({ 'drills.exec': true, 'drills.nodes': true })

afterAll(() => {
  const folder = join(OUT, 'chart-kind')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `scenarios-${MODE}.json`), `${JSON.stringify(figures, null, 2)}\n`)
})

/** Scenarios that this cluster cannot carry out: the end of the message says why. */
const IMPOSSIBLE: Readonly<Record<string, RegExp>> = {
  // the runner has no rights in the namespace of the operator
  'D5 operator': /operator/,
  // the links of the bus of a cluster live on in this network
  ...(MODE === 'cluster' ? { 'D11 operator': /partition/, 'D11 shell': /partition/ } : {}),
}

function manifestOf(scenario: ScenarioName): string {
  const prefix = `d${scenario.slice(1).padStart(2, '0')}-`
  return join(FOLDER, MANIFESTS.find((name) => name.startsWith(prefix)) ?? '')
}

/** Resolves with the node that D8 loses. No new pod is scheduled there, so that load and canary are elsewhere. */
async function nodeFor(scenario: ScenarioName): Promise<string | undefined> {
  if (scenario !== 'D8') return undefined
  await start('d8-plan', { target, scenario: 'D8', dryRun: true })
  const [victim = ''] = (await finished('d8-plan')).faults?.[0]?.victims ?? []
  const node = / on (\S+)$/.exec(victim)?.[1] ?? ''
  await kubectl(['delete', 'failoverdrill', 'd8-plan', '--timeout=60s'], 70)
  await kubectl(['cordon', node])
  return node
}

async function free(node: string | undefined): Promise<void> {
  if (node !== undefined) await kubectl(['uncordon', node])
}

/** Pauses the container of the node that a drill waits for, as a person at a data centre would. */
async function loseNode(drill: string, node: string): Promise<void> {
  const isWaiting = async (): Promise<boolean> => (await statusOf(drill)).faults?.[0]?.state === 'Injected'
  await eventually('the drill waits for the loss of a node', 240, isWaiting)
  const options = { signal: AbortSignal.timeout(20_000), timeoutMs: 20_000 }
  await machines.freeze(node, options)
  const isProven = async (): Promise<boolean> => (await statusOf(drill)).faults?.[0]?.state !== 'Injected'
  try {
    await eventually('the loss is seen', 120, isProven)
  } finally {
    await machines.thaw(node, { ...options, signal: AbortSignal.timeout(20_000) })
  }
}

function expectVerdict(where: string, { verdict, reason, message }: Partial<DrillStatus>): void {
  figures.push({ where, verdict, reason, message })
  const impossible = IMPOSSIBLE[where]
  if (impossible === undefined) return expect(`${verdict}: ${message}`).toMatch(/^Pass/)
  expect(verdict).toBe('Inconclusive')
  expect(message).toMatch(impossible)
}

describe.each(SCENARIO_NAMES.filter((name) => chosen.includes(name)))('%s', (scenario) => {
  test('from the operator', async () => {
    const name = scenario.toLowerCase()
    const node = await nodeFor(scenario)
    await start(name, { target, scenario })
    const [status] = await Promise.all([finished(name), node === undefined ? undefined : loseNode(name, node)])
    await free(node)
    expectVerdict(`${scenario} operator`, status)
    await expectNothingLeft()
    await kubectl(['delete', 'failoverdrill', name, '--timeout=60s'], 70)
  })

  test('from a shell', async () => {
    const node = await nodeFor(scenario)
    const { code, text } = await plugin('run', manifestOf(scenario), '--local')
    await free(node)
    const [, verdict = '', reason, message = text] = /^(Pass|Fail|Inconclusive|Aborted): (\w+): (.*)/m.exec(text) ?? []
    expectVerdict(`${scenario} shell`, { verdict, reason, message } as Partial<DrillStatus>)
    expect(code).toBe(verdict === 'Pass' ? 0 : 3)
    await expectNothingLeft()
  })
})
