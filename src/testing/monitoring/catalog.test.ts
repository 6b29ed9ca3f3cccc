/** The catalog of metrics: it has what the processes register, and finds names that no metric has. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../../drill/checkout.ts'
import { createCacheMeasures } from '../../items/cache/measure.ts'
import { createRuntimeMeasures } from '../../kube/runtime/measures.ts'
import { createLockMeasures } from '../../lock/measure.ts'
import { createDrillMeasures } from '../../operator/drills/measures.ts'
import { createTopologyMeasures } from '../../operator/topology/measures.ts'
import { countRetries, countUnlocked, measurePool } from '../../service/store-metrics.ts'
import { createMetrics } from '../../telemetry/metrics.ts'
import { openTestApp } from '../app.ts'
import { metricsIn, readCatalog } from './catalog.ts'
import { metricsPage } from './page.ts'
import { readAlerts, readDashboards, unknownMetrics, uses } from './uses.ts'

const CATALOG = readCatalog(ROOT)

/** Returns name, type and help text of each metric of ingot in a scrape. */
function described(text: string): readonly string[] {
  const pairs = [...text.matchAll(/^# HELP (ingot_\w+) (.*)\n# TYPE \w+ (\w+)$/gm)]
  return pairs.map(([, name, help, type]) => `${name} ${type}: ${help}`)
}

test('the catalog has exactly the metrics that the processes register', async () => {
  const service = await openTestApp()
  const others = createMetrics()
  createRuntimeMeasures(others)
  createTopologyMeasures(others)
  createDrillMeasures(others)
  createCacheMeasures(others)
  createLockMeasures(others)
  countRetries(others)
  countUnlocked(others)
  measurePool(others, () => ({ idle: 0, used: 0, limit: 0, waiting: 0 }))
  const texts = [(await service.get('/metrics')).body, (await others.render()).body]
  const real = texts.flatMap(described)
  const read = CATALOG.map(({ name, type, help }) => `${name} ${type}: ${help}`)
  expect(read.filter((one) => !real.includes(one))).toEqual([])
  expect(real.filter((one) => !read.includes(one))).toEqual([])
})

test('the labels of the catalog are those of the series', async () => {
  const service = await openTestApp()
  await service.post('/v1/collections/things/items', '{"n":1}')
  const text = (await service.get('/metrics')).body
  for (const { name, labels } of CATALOG) {
    const series = text.match(new RegExp(`^${name}(?:_count)?(?:\\{(.*)\\})? `, 'm'))
    if (series === null) continue
    const found = [...(series[1] ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label)
    expect(new Set(found), name).toEqual(new Set(labels))
  }
})

test('a function that registers metrics for its callers is followed', () => {
  const text = `
    const SHARED = ['namespace'] as const
    function create(metrics) {
      const gauge = (name, help, labels) => metrics.gaugesOf({ name, help, labels: [...SHARED, ...labels] }, read)
      gauge('ingot_a', 'One.', ['pod'])
      gauge('ingot_b', 'Two.', [])
      const options = { name: 'ingot_c', help: 'Three.' } as const
      metrics.counter(options)
    }`
  expect(metricsIn('src/x.ts', text)).toEqual([
    { name: 'ingot_a', type: 'gauge', help: 'One.', labels: ['namespace', 'pod'], file: 'src/x.ts' },
    { name: 'ingot_b', type: 'gauge', help: 'Two.', labels: ['namespace'], file: 'src/x.ts' },
    { name: 'ingot_c', type: 'counter', help: 'Three.', labels: [], file: 'src/x.ts' },
  ])
})

test('a metric without a literal name or help text is refused', () => {
  const text = `metrics.counter({ name: 'ingot_a', help: helpOf('a') })`
  expect(() => metricsIn('src/x.ts', text)).toThrow('no literal name or help')
})

test('a name that no metric has is found, also with the suffix of a histogram or as the beginning of names', () => {
  const text = 'ingot_ready ingot_readiness ingot_commit_seconds_bucket ingot_ready_bucket ingot_redis_* ingot_rediss_*'
  expect(unknownMetrics(text, CATALOG)).toEqual(['ingot_readiness', 'ingot_ready_bucket', 'ingot_rediss_*'])
})

test('every alert uses a metric, and the page names the alert beside it', () => {
  const alerts = readAlerts(ROOT)
  const page = metricsPage(CATALOG, [...alerts, ...readDashboards(ROOT)])
  expect(alerts.length).toBeGreaterThan(25)
  for (const { name, runbook } of alerts) expect(page).toContain(`[\`${name}\`](../${runbook})`)
  const commits = CATALOG.filter((metric) => uses('rate(ingot_commit_seconds_bucket[5m])', metric))
  expect(commits.map(({ name }) => name)).toEqual(['ingot_commit_seconds'])
})

test('a test names each metric', () => {
  const tests = globSync('src/**/*.test.ts', { cwd: ROOT }).filter(
    (file) => !file.startsWith('src/testing/monitoring/'),
  )
  const text = tests.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n')
  const untested = (catalog: typeof CATALOG) => catalog.filter((metric) => !uses(text, metric)).map(({ name }) => name)
  expect(untested(CATALOG)).toEqual([])
  const [metric] = CATALOG
  expect(metric === undefined ? [] : untested([{ ...metric, name: 'ingot_unheard_of_total' }])).toEqual([
    'ingot_unheard_of_total',
  ])
})
