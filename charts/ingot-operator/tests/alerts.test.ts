/** The alert rules about Redis, the operator and drills: what fires by promtool of Prometheus, and what the chart renders. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { testAlerts } from '../../ingot/tests/alert-suite.ts'
import { CHART, find, kinds } from '../../ingot/tests/helm.ts'
import { alertsOf, readRules } from '../../ingot/tests/promtool.ts'
import { ALERT_CASES } from './alert-cases.ts'
import { OPERATOR_CHART, operatorChart } from './chart.ts'

const RULES = readRules(readFileSync(join(OPERATOR_CHART, 'files', 'alerts.yaml'), 'utf8'))
const ALERTS = alertsOf(RULES)

test('each alert has a case', () => {
  expect(new Set(ALERT_CASES.map(({ alert }) => alert))).toEqual(new Set(ALERTS.map(({ alert }) => alert)))
})

testAlerts(RULES, ALERT_CASES)

test('the chart installs the rules where wanted', () => {
  expect(kinds(operatorChart.render('default'), 'PrometheusRule')).toEqual([])
  const changes = ['metrics.prometheusRule.enabled=true', 'metrics.prometheusRule.labels={"release":"prometheus"}']
  const rule = find(operatorChart.render('default', changes), 'PrometheusRule', 'ingot-operator')
  expect(rule.metadata.labels).toMatchObject({ release: 'prometheus' })
  expect(rule.spec).toEqual(RULES)
})

test('the PodMonitor keeps the labels of the metrics, by which the rules tell the pods of Redis apart', () => {
  const monitor = find(
    operatorChart.render('default', ['metrics.podMonitor.enabled=true']),
    'PodMonitor',
    'ingot-operator',
  )
  const endpoints = [{ port: 'metrics', path: '/metrics', honorLabels: true }]
  expect(monitor.spec['podMetricsEndpoints']).toEqual(endpoints)
})

test('both charts scale their rules by the same template', () => {
  const [one, other] = [OPERATOR_CHART, CHART].map((chart) =>
    readFileSync(join(chart, 'templates', '_alerts.tpl'), 'utf8'),
  )
  expect(one).toBe(other)
  const scaled = operatorChart.render('default', [
    'metrics.prometheusRule.enabled=true',
    'metrics.prometheusRule.timeScale=0.5',
  ])
  expect(JSON.stringify(find(scaled, 'PrometheusRule', 'ingot-operator').spec)).toContain('offset 302400s')
})
