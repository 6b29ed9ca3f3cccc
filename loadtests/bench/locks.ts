/**
 * `npm run bench:locks [-- --rounds 50 --rival-rounds 5 --only oneKey]`: compares the locks with other lock libraries.
 * Prints a table and writes out/bench/locks.json. Needs Docker for the servers. The first run installs the other libraries
 * into loadtests/bench/locks.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { commandLine } from './ingest/report.ts'
import { fiveNodes, oneKey, parallel, type Table, uncontended } from './locks/scenarios.ts'

const OUT = new URL('../../out/bench/', import.meta.url)

function install(): void {
  const folder = fileURLToPath(new URL('locks/', import.meta.url))
  if (existsSync(new URL('locks/node_modules/redlock-universal', import.meta.url))) return
  execFileSync('npm', ['ci', '--legacy-peer-deps', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: 'inherit',
  })
}

interface Target {
  readonly what: string
  readonly value: number
  readonly limit: number
  readonly atMost: boolean
}

const of = (table: Table, name: string, figure: string): number =>
  Object.entries(table).find(([key]) => key === name)?.[1]?.[figure] ?? Number.NaN

const rivals = (table: Table, figure: string): readonly number[] =>
  Object.entries(table).flatMap(([name, figures]) => (name === 'ingot' ? [] : [figures?.[figure] ?? Number.NaN]))

function targetsOf(results: Readonly<Record<string, Table>>): readonly Target[] {
  const targets: Target[] = []
  const add = (what: string, value: number, limit: number, atMost = true): void =>
    void targets.push({ what, value, limit, atMost })
  const { uncontended: free, parallel: many, oneKey: one, fiveNodes: five } = results
  if (free !== undefined) {
    const best = Math.min(...rivals(free, 'quietUs'))
    add('uncontended: latency over the best', of(free, 'ingot', 'quietUs') / best, 1.05)
  }
  if (many !== undefined) {
    const best = Math.max(...rivals(many, 'locksPerSecond'))
    add('64 keys: rate over the best', of(many, 'ingot', 'locksPerSecond') / best, 2, false)
  }
  if (one !== undefined) {
    add('one key: served', of(one, 'ingot', 'served'), 1, false)
    add('one key: commands per grant', of(one, 'ingot', 'sentPerGrant'), 3)
    add('one key: hand-off median ms', of(one, 'ingot', 'handOffMedianMs'), 2)
    add('one key: total over holds', of(one, 'ingot', 'totalOverHolds'), 1.1)
  }
  if (five !== undefined) {
    add('five nodes: served', of(five, 'ingot', 'served'), 1, false)
    add('five nodes: node operations per grant', of(five, 'ingot', 'sentPerGrant'), 33)
  }
  return targets
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function text(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2)
}

function show(title: string, table: Table): string {
  const [first] = Object.values(table)
  const figures = Object.keys(first ?? {})
  const rows = Object.entries(table).map(([name, f]) => row([name, ...figures.map((x) => text(f?.[x] ?? Number.NaN))]))
  return [`## ${title}`, row(['library', ...figures]), row(['---', ...figures.map(() => '---:')]), ...rows, ''].join(
    '\n',
  )
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    'rival-rounds': { type: 'string', default: '5' },
    only: { type: 'string' },
  },
})

install()
const scenarios: Readonly<Record<string, () => Promise<Table>>> = {
  uncontended: () => uncontended(80),
  parallel: () => parallel(10),
  oneKey: () => oneKey(Number(values.rounds), Number(values['rival-rounds'])),
  fiveNodes: () => fiveNodes(Number(values['rival-rounds'])),
}
const results: Record<string, Table> = {}
for (const [title, run] of Object.entries(scenarios)) {
  if (values.only !== undefined && values.only !== title) continue
  results[title] = await run()
  console.log(show(title, results[title]))
}
const targets = targetsOf(results).map((t) => ({ ...t, met: t.atMost ? t.value <= t.limit : t.value >= t.limit }))
for (const { what, value, limit, atMost, met } of targets) {
  console.log(`${met ? 'met   ' : 'MISSED'} ${what}: ${value.toFixed(2)} (${atMost ? 'at most' : 'at least'} ${limit})`)
}
mkdirSync(OUT, { recursive: true })
const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, load: loadavg() }
const origin = { recordedAt: new Date().toISOString(), command: commandLine('bench:locks') }
writeFileSync(new URL('locks.json', OUT), `${JSON.stringify({ machine, ...origin, results, targets }, undefined, 2)}\n`)
process.exitCode = targets.every(({ met }) => met) ? 0 : 1
