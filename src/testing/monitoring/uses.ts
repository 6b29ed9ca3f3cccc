/** Finds which alerts and dashboards use a metric, and names of metrics that do not exist. */
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import type { CatalogMetric } from './catalog.ts'

/** One alert, or one dashboard. */
export interface Use {
  readonly kind: 'alert' | 'dashboard'
  readonly name: string
  /** The section of the runbook, such as `RUNBOOK.md#requests-fail`. Only of an alert. */
  readonly runbook?: string
  /** All its expressions. */
  readonly text: string
}

interface Rule {
  readonly alert?: string
  readonly record?: string
  readonly expr: string
  readonly annotations?: { readonly runbook?: string }
}

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly Rule[] }[]
}

interface Dashboard {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[]
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
}

/** Returns the alerts of both charts. The expression of a recorded series counts as part of each alert that uses it. */
export function readAlerts(root: string): readonly Use[] {
  const rules = globSync('charts/*/files/alerts.yaml', { cwd: root })
    .toSorted()
    .flatMap((file) => (parse(readFileSync(join(root, file), 'utf8')) as RuleFile).groups)
    .flatMap((group) => group.rules)
  const recorded = (expr: string): readonly string[] =>
    rules.flatMap((rule) => (rule.record !== undefined && expr.includes(rule.record) ? [rule.expr] : []))
  return rules.flatMap(({ alert, expr, annotations }) => {
    if (alert === undefined) return []
    const runbook = annotations?.runbook === undefined ? {} : { runbook: annotations.runbook }
    return [{ kind: 'alert', name: alert, text: [expr, ...recorded(expr)].join('\n'), ...runbook }]
  })
}

/** Returns the dashboards of both charts, by the names of their files. */
export function readDashboards(root: string): readonly Use[] {
  return globSync('charts/*/files/dashboards/*.json', { cwd: root })
    .toSorted()
    .map((file) => {
      const { panels, annotations } = JSON.parse(readFileSync(join(root, file), 'utf8')) as Dashboard
      const all = [...panels.flatMap(({ targets = [] }) => targets), ...annotations.list]
      const text = all.map(({ expr }) => expr).join('\n')
      return { kind: 'dashboard', name: basename(file, '.json'), text }
    })
}

/** A name of a metric, or the beginning of several, such as `ingot_redis_*`. */
const NAME = /\bingot_\w*\*?/g
/** Functions of SQL in the documents, and not metrics. */
const OTHER = /^ingot_(?:put|look)\b/

/** Returns the names of metrics in a text that no metric of the catalog has. Names of the series of histograms exist. */
export function unknownMetrics(text: string, catalog: readonly CatalogMetric[]): readonly string[] {
  const names = [...new Set([...text.matchAll(NAME)].map(([name]) => name))]
  return names.filter((name) => !OTHER.test(name) && !catalog.some((metric) => isNamed(metric, name)))
}

/** Returns true if the text has the name of the metric, or of a series of it. */
export function uses(text: string, metric: CatalogMetric): boolean {
  const series = seriesOf(metric)
  return [...text.matchAll(NAME)].some(([name]) => series.includes(name))
}

function isNamed(metric: CatalogMetric, found: string): boolean {
  // `ingot_` alone is the pattern of a search
  if (found.endsWith('*') || found === 'ingot_') return metric.name.startsWith(found.replace('*', ''))
  return seriesOf(metric).includes(found)
}

/** Returns the name of the metric, and those of the series of a histogram. */
function seriesOf({ name, type }: CatalogMetric): readonly string[] {
  return type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
}
