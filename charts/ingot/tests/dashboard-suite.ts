/** The tests that the dashboards of every chart have. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readCatalog } from '../../../src/testing/monitoring/catalog.ts'
import { type DashboardModel, expressionsOf, problemsOf } from '../../../src/testing/monitoring/dashboards/check.ts'
import { CHART, type Manifest } from './helm.ts'
import { checkRules, lacksPromtool } from './promtool.ts'
import { anchorsOf } from './runbook.ts'

const CATALOG = readCatalog(join(CHART, '..', '..'))
const KNOWN = { catalog: CATALOG, anchors: anchorsOf('RUNBOOK.md') }

/** Returns the dashboards of the rendered objects, by the names of their ConfigMaps. Throws if one is no JSON. */
export function dashboardsOf(manifests: readonly Manifest[]): ReadonlyMap<string, DashboardModel> {
  const maps = manifests.filter(({ metadata: { labels = {} } }) => labels['grafana_dashboard'] === '1')
  return new Map(
    maps.map(({ metadata: { name }, data }) => [name, JSON.parse(Object.values(data)[0] ?? '') as DashboardModel]),
  )
}

/** Defines the tests of the dashboards in `folder`, and of the rendered ones. */
export function testDashboards(folder: string, rendered: ReadonlyMap<string, DashboardModel>): void {
  describe.each([...rendered])('%s', (_name, board) => {
    test('each panel has an own id, a question and a section of the runbook, and every metric exists', () => {
      expect(board.panels.length).toBeGreaterThan(8)
      expect(problemsOf(board, KNOWN)).toEqual([])
    })

    test('changes of roles and drills are annotations', () => {
      expect(board.annotations.list.map(({ name }) => name)).toEqual(['Role changes', 'Drills'])
    })

    test.skipIf(lacksPromtool)('every expression is valid', () => {
      const rules = expressionsOf(board).map((expr, at) => ({ record: `expression:${at}`, expr: withValues(expr) }))
      expect(checkRules({ groups: [{ name: 'expressions', rules }] })).toMatchObject({ passed: true })
    })
  })

  test('mistakes are found', () => {
    const text = readFileSync(join(folder, 'files', 'dashboards', `${boardOf(rendered)}.json`), 'utf8')
    const mistakes: Readonly<Record<string, (text: string) => string>> = {
      'there is no metric': (one) => one.replace('(ingot_', '(ingot_no_'),
      'there is no metric ingots_': (one) =>
        one
          .replace('(ingot_drill_verdict{', '(ingots_{')
          .replace('ingot_operator_reconcile_seconds_bucket{', 'ingots_{'),
      'two panels have the id': (one) => one.replace('"id": 3,', '"id": 2,'),
      'there is no section': (one) => one.replace('RUNBOOK.md#', 'RUNBOOK.md#no-'),
      'asks no question': (one) => one.replace('?\\n', '.\\n'),
      'another panel covers it': (one) => one.replace('"x": 8', '"x": 7'),
      'there is no variable': (one) => one.replace('$__rate_interval', '$__interval'),
    }
    for (const [sentence, spoil] of Object.entries(mistakes)) {
      const spoilt = spoil(text)
      expect(spoilt).not.toBe(text)
      expect(problemsOf(JSON.parse(spoilt) as DashboardModel, KNOWN).join('\n')).toContain(sentence)
    }
  })
}

/** Returns the name of the first dashboard. */
function boardOf(rendered: ReadonlyMap<string, DashboardModel>): string {
  return `${[...rendered.keys()][0]?.split('-dashboard-').at(-1)}`
}

/** Returns the expression with values in place of the variables of Grafana. */
function withValues(expr: string): string {
  return expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, 'x')
}
