/**
 * Generates docs/metrics.md from the source. With --check, only fails if the page is not current. Always fails if the
 * runbook, an alert or a dashboard names a metric that does not exist. Run it after a change of a metric.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readCatalog } from '../src/testing/monitoring/catalog.ts'
import { metricsPage } from '../src/testing/monitoring/page.ts'
import { readAlerts, readDashboards, unknownMetrics } from '../src/testing/monitoring/uses.ts'

const ROOT = join(import.meta.dirname, '..')
const PAGE = 'docs/metrics.md'
const DOCUMENTS = ['RUNBOOK.md', 'docs/monitoring.md', 'docs/operator.md']

const catalog = readCatalog(ROOT)
const used = [...readAlerts(ROOT), ...readDashboards(ROOT)]
const documents = DOCUMENTS.map((name) => ({ kind: 'document', name, text: readFileSync(join(ROOT, name), 'utf8') }))
for (const { kind, name, text } of [...documents, ...used]) {
  for (const metric of unknownMetrics(text, catalog)) {
    console.error(`${kind} ${name}: there is no metric ${metric}`)
    process.exitCode = 1
  }
}

const wanted = metricsPage(catalog, used)
const path = join(ROOT, PAGE)
if (!process.argv.includes('--check')) writeFileSync(path, wanted)
else if (!existsSync(path) || readFileSync(path, 'utf8') !== wanted) {
  console.error(`${PAGE} is not current: run "npm run metrics:docs"`)
  process.exitCode = 1
}
