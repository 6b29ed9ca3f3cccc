/** Renders the results of the benchmarks into docs/benchmarks.md, between two comments that name the benchmark. */

interface Machine {
  readonly node: string
  readonly cpu?: string
  readonly cores: number
}

/** `out/bench/ingest.json`, as far as the page shows it. */
export interface IngestResult {
  readonly machine: Machine
  readonly recordedAt?: string
  readonly command?: string
  readonly sections: readonly { readonly section: string; readonly load: readonly [number, number] }[]
  readonly rows: readonly {
    readonly section: string
    readonly measured: string
    readonly value: number
    readonly unit: string
    readonly target?: string
    readonly met?: boolean
  }[]
}

/** `out/bench/locks.json`, as far as the page shows it. */
export interface LocksResult {
  readonly machine: Machine & { readonly load: readonly number[] }
  readonly recordedAt?: string
  readonly command?: string
  readonly targets: readonly {
    readonly what: string
    readonly value: number
    readonly limit: number
    readonly atMost: boolean
    readonly met: boolean
  }[]
}

const figure = (value: number): string => (Math.abs(value) >= 1_000 ? value.toFixed(0) : value.toFixed(2))

const verdict = (met: boolean | undefined): string => (met === undefined ? '' : met ? 'met' : '**missed**')

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

interface Recorded {
  readonly machine: Machine
  readonly recordedAt?: string
  readonly command?: string
}

function origin({ machine, recordedAt = 'unknown', command = 'unknown' }: Recorded, load: readonly number[]): string {
  const { cores, cpu = 'unknown processor', node } = machine
  const loads = load.length === 0 ? 'unknown' : `${Math.min(...load).toFixed(1)} to ${Math.max(...load).toFixed(1)}`
  return [
    `- Recorded: ${recordedAt}`,
    `- Command: \`${command}\``,
    `- Machine: ${cores} cores, ${cpu}, Node ${node.replace('v', '')}`,
    `- Load average: ${loads}`,
  ].join('\n')
}

/** Returns the page section for a run of `npm run bench:ingest`. */
export function ingestSection(result: IngestResult): string {
  const rows = result.rows.map(({ section, measured, value, unit, target = '', met }) => [
    section,
    measured,
    `${figure(value)} ${unit}`,
    target.replace('>=', '≥').replace('<=', '≤'),
    verdict(met),
  ])
  const load = result.sections.flatMap((section) => section.load)
  return `${origin(result, load)}\n\n${table(['section', 'measured', 'value', 'target', ''], rows)}`
}

/** Returns the page section for a run of `npm run bench:locks`. */
export function locksSection(result: LocksResult): string {
  const rows = result.targets.map(({ what, value, limit, atMost, met }) => [
    what,
    figure(value),
    `${atMost ? '≤' : '≥'} ${limit}`,
    verdict(met),
  ])
  return `${origin(result, result.machine.load.slice(0, 1))}\n\n${table(['measured', 'value', 'target', ''], rows)}`
}

/** Returns `page` with the section of the benchmark `name` replaced. Throws RangeError if the page has no such section. */
export function withSection(page: string, name: string, section: string): string {
  const start = `<!-- results of bench:${name} -->`
  const end = `<!-- end of bench:${name} -->`
  const from = page.indexOf(start)
  const to = page.indexOf(end)
  if (from < 0 || to < from) throw new RangeError(`the page has no section between "${start}" and "${end}"`)
  return `${page.slice(0, from + start.length)}\n\n${section}\n\n${page.slice(to)}`
}
