/** Finds mistakes in a dashboard of Grafana: metrics that do not exist, panels without a section of the runbook, and others. */
import type { CatalogMetric } from '../catalog.ts'
import { OTHER_METRICS } from '../others.ts'
import { unknownMetrics } from '../uses.ts'

interface Position {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
}

export interface DashboardPanel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: Position
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[]
}

export interface DashboardVariable {
  readonly name: string
  /** The query of its values. */
  readonly definition?: string
  readonly current?: { readonly value: unknown }
}

/** The fields of a dashboard that matter here. */
export interface DashboardModel {
  readonly uid: string
  readonly title: string
  readonly panels: readonly DashboardPanel[]
  readonly templating: { readonly list: readonly DashboardVariable[] }
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr: string }[] }
}

export interface Known {
  readonly catalog: readonly CatalogMetric[]
  /** The sections of the runbook, such as `RUNBOOK.md#metrics`. */
  readonly anchors: readonly string[]
}

/** Returns all expressions of a dashboard, those of its annotations included. */
export function expressionsOf({ panels, annotations }: DashboardModel): readonly string[] {
  const ofPanels = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  return [...ofPanels, ...annotations.list.map(({ expr }) => expr)]
}

/** Returns a sentence for each mistake. */
export function problemsOf(board: DashboardModel, { catalog, anchors }: Known): readonly string[] {
  const shown = board.panels.filter(({ type }) => type !== 'row')
  return [
    ...repeated(board.panels.map(({ id }) => id)).map((id) => `two panels have the id ${id}`),
    ...shown.flatMap((panel) => panelProblems(panel, anchors)),
    ...overlaps(board.panels).map((title) => `${title}: another panel covers it`),
    ...board.templating.list.flatMap(({ definition = '' }) => unknownMetrics(definition, catalog).map(noMetric)),
    ...expressionsOf(board).flatMap((expr) => expressionProblems(expr, board, catalog)),
  ]
}

const noMetric = (name: string): string => `there is no metric ${name}`

function panelProblems(
  { title, description = '', targets = [] }: DashboardPanel,
  anchors: readonly string[],
): readonly string[] {
  const section = description.split('\n').at(-1) ?? ''
  return [
    ...(description.includes('?') ? [] : [`${title}: its description asks no question`]),
    ...(anchors.includes(section) ? [] : [`${title}: there is no section ${section}`]),
    ...(targets.length > 0 ? [] : [`${title}: it has no expression`]),
    ...repeated(targets.map(({ refId }) => refId)).map((id) => `${title}: two expressions have the name ${id}`),
  ]
}

function expressionProblems(expr: string, board: DashboardModel, catalog: readonly CatalogMetric[]): readonly string[] {
  const selected = [...expr.matchAll(/\b(\w+)\{/g)].map(([, name = '']) => name)
  const foreign = selected.filter((name) => !name.startsWith('ingot_') && !OTHER_METRICS.includes(name))
  const variables = [...expr.matchAll(/\$\{?(\w+)/g)].map(([, name = '']) => name)
  const defined = board.templating.list.map(({ name }) => name)
  return [
    ...[...unknownMetrics(expr, catalog), ...foreign].map(noMetric),
    ...variables
      .filter((name) => name !== '__rate_interval' && !defined.includes(name))
      .map((name) => `there is no variable ${name}`),
  ]
}

function repeated<T>(all: readonly T[]): readonly T[] {
  return [...new Set(all.filter((one, at) => all.indexOf(one) !== at))]
}

function overlaps(panels: readonly DashboardPanel[]): readonly string[] {
  return panels
    .filter((one, at) => panels.slice(at + 1).some((other) => covers(one.gridPos, other.gridPos)))
    .map(({ title }) => title)
}

function covers(one: Position, other: Position): boolean {
  return one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h
}
