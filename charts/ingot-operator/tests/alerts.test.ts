/** The alert rules about Redis, the operator and drills: what fires by promtool of Prometheus, and what the chart renders. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CHART, find, kinds } from '../../ingot/tests/helm.ts'
import { alertsOf, checkRules, lacksPromtool, readRules, survivors, testAlert } from '../../ingot/tests/promtool.ts'
import { anchorsOf } from '../../ingot/tests/runbook.ts'
import { ALERT_CASES } from './alert-cases.ts'
import { OPERATOR_CHART, operatorChart } from './chart.ts'

const RULES = readRules(readFileSync(join(OPERATOR_CHART, 'files', 'alerts.yaml'), 'utf8'))
const ALERTS = alertsOf(RULES)

test('each alert has a case, a severity, a summary and a section of the runbook', () => {
  expect(new Set(ALERT_CASES.map(({ alert }) => alert))).toEqual(new Set(ALERTS.map(({ alert }) => alert)))
  for (const { alert, labels, annotations } of ALERTS) {
    expect(['critical', 'warning'], alert).toContain(labels?.['severity'])
    expect(annotations?.['summary'], alert).toMatch(/\w+ \w+/)
    expect(anchorsOf('RUNBOOK.md'), alert).toContain(annotations?.['runbook'])
  }
})

test.skipIf(lacksPromtool)('the rules are valid', () => {
  expect(checkRules(RULES)).toMatchObject({ passed: true })
})

describe.skipIf(lacksPromtool).each(ALERT_CASES.map((one) => [one.alert, one] as const))('%s', (_name, one) => {
  test('fires on its series, and does not on the others', () => {
    expect(testAlert(RULES, one)).toMatchObject({ passed: true })
  })

  test('has cases that notice if it never fires, always fires, or does not wait', () => {
    expect(survivors(RULES, one)).toEqual([])
  })
})

test('the chart installs the rules where wanted', () => {
  expect(kinds(operatorChart.render('default'), 'PrometheusRule')).toEqual([])
  const changes = ['metrics.prometheusRule.enabled=true', 'metrics.prometheusRule.labels={"release":"prometheus"}']
  const rule = find(operatorChart.render('default', changes), 'PrometheusRule', 'ingot-operator')
  expect(rule.metadata.labels).toMatchObject({ release: 'prometheus' })
  expect(rule.spec).toEqual(RULES)
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
