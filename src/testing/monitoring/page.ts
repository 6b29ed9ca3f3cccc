/** Writes the reference of the metrics, docs/metrics.md. */
import type { CatalogMetric } from './catalog.ts'
import { OTHERS } from './others.ts'
import { type Use, uses } from './uses.ts'

const HEAD = `# Metrics

Every metric of ingot, generated from the source by \`npm run metrics:docs\`. [Monitoring](monitoring.md) says how to
collect them, and the [runbook](../RUNBOOK.md#alerts) what to do if an alert fires. No label has a content, a key of a lock
or a collection, so the number of series does not grow with the data.

A _counter_ only rises, a _gauge_ is a value of now, and a _histogram_ counts values in buckets (\`_bucket\`, \`_sum\`,
\`_count\`).
`

interface Group {
  readonly title: string
  readonly text: string
  readonly files: RegExp
}

/** The first group whose pattern matches the file has the metric. */
const GROUPS: readonly Group[] = [
  { title: 'Locks', text: 'Of each replica of the service.', files: /^src\/lock\// },
  { title: 'The shared cache', text: 'Of each replica with `INGOT_CACHE_URL`.', files: /^src\/items\/cache\// },
  {
    title: 'Redis',
    text: 'Of the operator that leads, for each `RedisTopology`. The label `namespace` is that of the topology.',
    files: /^src\/operator\/topology\//,
  },
  {
    title: 'Drills',
    text: 'Of the operator that leads. The label `namespace` is that of the drill or the schedule.',
    files: /^src\/operator\/drills\//,
  },
  { title: 'The operator', text: 'Of each process of `ingot operate`.', files: /^src\/(?:operator|kube)\// },
  { title: 'The service', text: 'Of each replica of the service.', files: /^src\// },
]

/** Returns the page. */
export function metricsPage(catalog: readonly CatalogMetric[], used: readonly Use[]): string {
  const order = ['The service', 'Locks', 'The shared cache', 'Redis', 'Drills', 'The operator']
  const sections = order.map((title) => {
    const group = GROUPS.find((one) => one.title === title)
    const metrics = catalog.filter(({ file }) => GROUPS.find(({ files }) => files.test(file)) === group)
    const rows = metrics.map((metric) => rowOf(metric, used))
    const header = ['metric', 'type', 'unit', 'labels', 'meaning', 'used by']
    return `## ${title}\n\n${group?.text}\n\n${table([header, ...rows])}\n`
  })
  return [HEAD, ...sections, othersOf(used)].join('\n')
}

function rowOf(metric: CatalogMetric, used: readonly Use[]): readonly string[] {
  const { name, type, labels, help } = metric
  const by = used.filter(({ text }) => uses(text, metric)).map(linkOf)
  return [code(name), type, unitOf(name), labels.map(code).join(', '), sentence(help), by.join(', ')]
}

const code = (text: string): string => `\`${text}\``
const sentence = (text: string): string => text.replace(/[.]?$/, '')

function linkOf({ kind, name, runbook }: Use): string {
  if (kind === 'dashboard') return `dashboard ${name}`
  return runbook === undefined ? code(name) : `[${code(name)}](../${runbook})`
}

const UNITS: readonly (readonly [pattern: RegExp, unit: string])[] = [
  [/_timestamp_seconds$/, 'Unix time'],
  [/_items_per_second$/, 'items per second'],
  [/_seconds$/, 'seconds'],
  [/_bytes(?:_limit)?$/, 'bytes'],
  [/_items(?:_limit|_total)?$/, 'items'],
  [/_(?:ready|draining|up|leader|info|state|condition|role|verdict|primary|running)$/, '0 or 1'],
]

function unitOf(name: string): string {
  return UNITS.find(([pattern]) => pattern.test(name))?.[1] ?? 'number'
}

function othersOf(used: readonly Use[]): string {
  const rows = Object.entries(OTHERS).map(([name, origin]) => {
    const by = used.filter(({ text }) => new RegExp(`\\b${name}\\b`).test(text)).map(linkOf)
    return [code(name), origin, by.join(', ')]
  })
  return `## Metrics of other programs\n\n${table([['metric', 'of', 'used by'], ...rows])}\n`
}

/** Returns a table of Markdown with aligned columns. */
function table(rows: readonly (readonly string[])[]): string {
  const [header = []] = rows
  const widths = header.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return [line(header), rule, ...rows.slice(1).map(line)].join('\n')
}
