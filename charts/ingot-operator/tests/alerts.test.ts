/** The alert rules: what fires by promtool of Prometheus, and what the chart renders. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { find, kinds } from '../../ingot/tests/helm.ts'
import { OPERATOR_CHART, operatorChart } from './chart.ts'

const RULES = readFileSync(join(OPERATOR_CHART, 'files', 'alerts.yaml'), 'utf8')
const CASES = readFileSync(join(OPERATOR_CHART, 'tests', 'alerts.promtool.yaml'), 'utf8')

const absent = spawnSync('promtool', ['--version']).error === undefined ? undefined : 'promtool is not installed'
if (absent !== undefined && process.env['CI'] === 'true') throw new Error(`${absent}, which CI needs`)

/** Runs the cases on these rules. */
function promtool(rules: string): { readonly passed: boolean; readonly says: string } {
  const folder = mkdtempSync(join(tmpdir(), 'alerts-'))
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'alerts.yaml'), rules)
  writeFileSync(join(folder, 'cases.yaml'), CASES)
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'cases.yaml'], {
    cwd: folder,
    encoding: 'utf8',
  })
  return { passed: status === 0, says: `${stdout}${stderr}` }
}

test.skipIf(absent !== undefined)('the alert fires after 7 days without a pass, and not before', () => {
  expect(promtool(RULES)).toMatchObject({ passed: true })
})

const MUTANTS: Readonly<Record<string, (rules: string) => string>> = {
  'another age': (rules) => rules.replace('> 604800', '> 6048000'),
  'a new schedule fires at once': (rules) => rules.replace(' offset 7d', ''),
  'a schedule that never passed is silent': (rules) => rules.replaceAll(') == 0', ') == 1'),
  'schedules of one name are one': (rules) => rules.replaceAll('exported_namespace, schedule)', 'schedule)'),
}

test.skipIf(absent !== undefined).each(Object.entries(MUTANTS))('the cases notice: %s', (_name, mutate) => {
  const mutant = mutate(RULES)
  expect(mutant).not.toBe(RULES)
  expect(promtool(mutant).says).toMatch(/FAILED/)
})

test('the chart installs the rules where wanted', () => {
  expect(kinds(operatorChart.render('default'), 'PrometheusRule')).toEqual([])
  const changes = ['metrics.prometheusRule.enabled=true', 'metrics.prometheusRule.labels={"release":"prometheus"}']
  const rule = find(operatorChart.render('default', changes), 'PrometheusRule', 'ingot-operator')
  expect(rule.metadata.labels).toMatchObject({ release: 'prometheus' })
  expect(rule.spec).toEqual(parse(RULES))
})

test('each alert names an anchor of the runbook', () => {
  const runbook = readFileSync(join(OPERATOR_CHART, '..', '..', 'RUNBOOK.md'), 'utf8')
  const { groups } = parse(RULES) as { groups: readonly { rules: readonly { annotations: { runbook: string } }[] }[] }
  const headings = [...runbook.matchAll(/^## (.+)$/gm)].map(([, text = '']) => text.toLowerCase().replaceAll(' ', '-'))
  for (const { annotations } of groups.flatMap(({ rules }) => rules)) {
    expect(headings.map((heading) => `RUNBOOK.md#${heading}`)).toContain(annotations.runbook)
  }
})
