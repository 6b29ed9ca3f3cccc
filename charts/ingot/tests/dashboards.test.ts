/** The dashboards of a release: what the chart renders, and whether Grafana and the runbook can use it. */
import { expect, test } from 'vitest'
import { dashboardsOf, testDashboards } from './dashboard-suite.ts'
import { CHART, find, render } from './helm.ts'

const ENABLED = 'metrics.dashboards.enabled=true'
const BOARDS = dashboardsOf(render('postgres', [ENABLED]))

test('the chart installs dashboards of the service, of locks and Redis and of drills, where wanted', () => {
  expect(dashboardsOf(render('postgres')).size).toBe(0)
  expect([...BOARDS.keys()].toSorted()).toEqual([
    'ingot-dashboard-drills',
    'ingot-dashboard-locks',
    'ingot-dashboard-service',
  ])
})

testDashboards(CHART, BOARDS)

test('two releases have no identity, title or file in common, and show themselves first', () => {
  const other = render('postgres', [ENABLED], 'ingot-two')
  const [one, two] = [render('postgres', [ENABLED]), other].map((manifests) => {
    const boards = [...dashboardsOf(manifests).values()]
    const files = manifests.filter(({ metadata }) => metadata.name.includes('-dashboard-')).map(({ data }) => data)
    return [...boards.flatMap(({ uid, title }) => [uid, title]), ...files.flatMap((data) => Object.keys(data))]
  })
  expect(new Set([...(one ?? []), ...(two ?? [])]).size).toBe(18)
  const [board] = dashboardsOf(other).values()
  const first = board?.templating.list.map(({ name, current }) => [name, current?.value])
  expect(first).toEqual([
    ['datasource', undefined],
    ['namespace', 'shop'],
    ['job', 'ingot-two'],
  ])
})

test('labels and annotations select the dashboards and name their folder', () => {
  const values = [
    'metrics.dashboards.labels={"grafana":"shop"}',
    'metrics.dashboards.annotations={"grafana_folder":"ingot"}',
  ]
  const { metadata } = find(render('postgres', [ENABLED, ...values]), 'ConfigMap', 'ingot-dashboard-service')
  expect(metadata.labels).toMatchObject({ grafana: 'shop', grafana_dashboard: '1' })
  expect(metadata.annotations).toMatchObject({ grafana_folder: 'ingot' })
})
