/** The dashboard of the operator: what the chart renders, and whether Grafana and the runbook can use it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dashboardsOf, testDashboards } from '../../ingot/tests/dashboard-suite.ts'
import { CHART } from '../../ingot/tests/helm.ts'
import { OPERATOR_CHART, operatorChart } from './chart.ts'

const BOARDS = dashboardsOf(operatorChart.render('default', ['metrics.dashboards.enabled=true']))

test('the chart installs a dashboard of the operator and of all topologies, where wanted', () => {
  expect(dashboardsOf(operatorChart.render('default')).size).toBe(0)
  expect([...BOARDS.keys()]).toEqual(['ingot-operator-dashboard-operator'])
})

testDashboards(OPERATOR_CHART, BOARDS)

test('both charts render dashboards by the same template', () => {
  const [one, other] = [OPERATOR_CHART, CHART].map((chart) =>
    readFileSync(join(chart, 'templates', '_dashboards.tpl'), 'utf8'),
  )
  expect(one).toBe(other)
})
