/** The alert rules of the service: what fires by promtool of Prometheus, and what the chart renders. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ALERT_CASES } from './alert-cases.ts'
import { testAlerts } from './alert-suite.ts'
import { CHART, find, kinds, refusal, render } from './helm.ts'
import { alertsOf, checkRules, lacksPromtool, type RuleFile, readRules } from './promtool.ts'

const RULES = readRules(readFileSync(join(CHART, 'files', 'alerts.yaml'), 'utf8'))
const ALERTS = alertsOf(RULES)

test('each alert has a case', () => {
  expect(ALERT_CASES.map(({ alert }) => alert).toSorted()).toEqual(ALERTS.map(({ alert }) => alert).toSorted())
})

testAlerts(RULES, ALERT_CASES)

const rendered = (changes: readonly string[], release = 'ingot'): RuleFile =>
  find(render('postgres', ['metrics.prometheusRule.enabled=true', ...changes], release), 'PrometheusRule', release)
    .spec as unknown as RuleFile

test('the chart installs the rules where wanted, for the pods of its release only', () => {
  expect(kinds(render('postgres'), 'PrometheusRule')).toEqual([])
  const selected = JSON.stringify(RULES)
    .replaceAll('job=\\"ingot', 'namespace=\\"shop\\",job=\\"ingot-two')
    .replaceAll(
      'persistentvolumeclaim=~\\".*ingot.*',
      'namespace=\\"shop\\",persistentvolumeclaim=~\\"(data-)?ingot-two(-.*)?',
    )
  expect(rendered([], 'ingot-two')).toEqual(JSON.parse(selected))
})

test('every selector of a metric names the release, so that two releases have no alert in common', () => {
  for (const { expr } of rendered([]).groups.flatMap(({ rules }) => rules)) {
    const metrics = expr.match(/\b(ingot_\w+|ingot:\w+:\w+|nodejs_\w+|redis_\w+|kubelet_\w+|up)\b(?!\()/g) ?? []
    expect(expr.match(/namespace="shop"/g)).toHaveLength(metrics.length)
  }
})

test.skipIf(lacksPromtool)('timeScale multiplies the durations and windows', () => {
  const scaled = rendered(['metrics.prometheusRule.timeScale=0.3'])
  expect(checkRules(scaled)).toMatchObject({ passed: true })
  const durations = ({ groups }: RuleFile): readonly number[] =>
    groups
      .flatMap(({ rules }) => rules)
      .flatMap((rule) => [
        ...(rule.for === undefined ? [] : [secondsOf(rule.for)]),
        ...[...rule.expr.matchAll(/\[(\w+)\]/g)].map(([, window = '']) => secondsOf(window)),
      ])
  expect(durations(scaled)).toEqual(durations(RULES).map((seconds) => Math.max(1, Math.ceil(seconds * 0.3))))
  expect(refusal('postgres', ['metrics.prometheusRule.timeScale=0'])).toContain('timeScale')
})

function secondsOf(duration: string): number {
  return Number.parseInt(duration, 10) * ({ s: 1, m: 60, h: 3_600, d: 86_400 }[duration.at(-1) ?? ''] ?? Number.NaN)
}
