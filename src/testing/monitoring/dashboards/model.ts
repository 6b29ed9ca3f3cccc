/** Builds dashboards of Grafana from rows of panels. A panel has a question, and the section of the runbook about it. */

/** A section of RUNBOOK.md. */
export type Anchor = `RUNBOOK.md#${string}`

export interface Panel {
  readonly title: string
  /** What the panel shows, as a question. */
  readonly question: string
  readonly runbook: Anchor
  /** A unit of Grafana, such as `s`, `bytes`, `reqps`, `percentunit`. Default: a number. */
  readonly unit?: string
  /** Default: a graph over time. */
  readonly type?: 'timeseries' | 'stat' | 'table'
  /** Upper end of the good values: above it the panel is red. */
  readonly limit?: number
  /** Expressions of PromQL by the names of their series, such as `p99 {{pod}}`. */
  readonly series: Readonly<Record<string, string>>
}

export interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}

/** A variable that is read from the values of a label. */
export interface Variable {
  readonly name: string
  readonly label: string
  /** Such as `label_values(ingot_build_info, namespace)`. */
  readonly query: string
  /** True: several values, all of them at first. Default: one value. */
  readonly isMulti?: boolean
}

/** Moments or times that all panels show. */
export interface Annotation {
  readonly name: string
  readonly expr: string
  readonly title: string
  readonly color: string
}

export interface Board {
  /** Also the name of the file. */
  readonly name: string
  readonly title: string
  readonly about: string
  readonly variables: readonly Variable[]
  readonly annotations: readonly Annotation[]
  readonly rows: readonly Row[]
}

const SOURCE = { type: 'prometheus', uid: '${datasource}' }
const WIDTH = 24
const PER_ROW = 3
const PANEL = { w: WIDTH / PER_ROW, h: 8 }

/** Returns the JSON model of a dashboard, as Grafana 10 and later read it. */
export function dashboardOf(board: Board): object {
  return {
    uid: `ingot-${board.name}`,
    title: `ingot: ${board.title}`,
    description: board.about,
    tags: ['ingot'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    templating: { list: [DATASOURCE, ...board.variables.map(variableOf)] },
    annotations: { list: board.annotations.map(annotationOf) },
    panels: panelsOf(board.rows),
  }
}

const DATASOURCE = { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', refresh: 1 }

function variableOf({ name, label, query, isMulti = false }: Variable): object {
  const all = isMulti ? { multi: true, includeAll: true, current: { text: ['All'], value: ['$__all'] } } : {}
  return {
    name,
    label,
    type: 'query',
    datasource: SOURCE,
    definition: query,
    query: { query, refId: name },
    refresh: 2,
    sort: 1,
    ...all,
  }
}

function annotationOf({ name, expr, title, color }: Annotation): object {
  return { name, datasource: SOURCE, enable: true, expr, titleFormat: title, iconColor: color, step: '30s' }
}

/** Returns the panels with their positions: each row is a heading and lines of three panels. */
function panelsOf(rows: readonly Row[]): readonly object[] {
  const placed: object[] = []
  let y = 0
  for (const { title, panels } of rows) {
    placed.push({
      id: placed.length + 1,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
      panels: [],
    })
    y += 1
    for (const [at, panel] of panels.entries()) {
      const x = (at % PER_ROW) * PANEL.w
      if (at > 0 && x === 0) y += PANEL.h
      placed.push({ id: placed.length + 1, ...panelOf(panel), gridPos: { x, y, ...PANEL } })
    }
    y += PANEL.h
  }
  return placed
}

function panelOf({ title, question, runbook, unit = 'short', type = 'timeseries', limit, series }: Panel): object {
  const steps = [{ color: 'green', value: null }, ...(limit === undefined ? [] : [{ color: 'red', value: limit }])]
  const custom = type === 'timeseries' ? { custom: customOf(limit) } : {}
  return {
    type,
    title,
    description: `${question}\n\n${runbook}`,
    datasource: SOURCE,
    fieldConfig: { defaults: { unit, min: 0, thresholds: { mode: 'absolute', steps }, ...custom }, overrides: [] },
    options: type === 'timeseries' ? GRAPH_OPTIONS : {},
    targets: Object.entries(series).map(([legendFormat, expr], at) => ({
      refId: String.fromCodePoint(65 + at),
      datasource: SOURCE,
      expr,
      legendFormat,
      ...(type === 'table' ? { instant: true, format: 'table' } : {}),
    })),
  }
}

const GRAPH_OPTIONS = { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } }

function customOf(limit: number | undefined): object {
  const style = { drawStyle: 'line', lineWidth: 1, fillOpacity: 10, showPoints: 'auto', spanNulls: false }
  return limit === undefined ? style : { ...style, thresholdsStyle: { mode: 'line' } }
}
