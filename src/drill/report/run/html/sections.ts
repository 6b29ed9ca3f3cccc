/** The sections of the page below the time line. Pure. */
import type { CheckResult, DrillReport } from '../../model.ts'
import { compare } from '../compare.ts'
import { countText, figuresOf, offsetText, remediesOf, timeText } from '../figures.ts'
import { momentOf } from './axis.ts'
import { bucketsOf } from './buckets.ts'
import { type Html, html, NOTHING, when } from './escape.ts'
import { cut, type Limits } from './limits.ts'

type Cell = string | Html

interface Table {
  readonly caption: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

/** Returns a table whose first cells are headers of their rows. Rows beyond the limit are counted. */
function table({ caption, head, rows }: Table, limits: Limits): Html {
  if (rows.length === 0) return NOTHING
  const body = rows.slice(0, limits.rows).map(([first = '', ...rest]) => {
    return html`<tr><th scope="row">${cell(first, limits)}</th>${rest.map((one) => html`<td>${cell(one, limits)}</td>`)}</tr>`
  })
  const more = rows.length - limits.rows
  return html`<table><caption>${caption}</caption><thead><tr>${head.map((one) => html`<th scope="col">${one}</th>`)}</tr></thead><tbody>${body}</tbody></table>${when(more > 0, () => html`<p class="note">${more} more rows are in the JSON report.</p>`)}`
}

/** bdi isolates the direction of a text, so a name in Arabic or Hebrew does not reorder its neighbours. */
function cell(value: Cell, limits: Limits): Html {
  return typeof value === 'string' ? words(value, limits) : value
}

/** A long word may be broken anywhere. Other cells keep the width of their words on a phone. */
function words(value: string, limits: Limits): Html {
  const shown = cut(value, limits)
  return LONG_WORD.test(shown) ? html`<bdi class="long">${shown}</bdi>` : html`<bdi>${shown}</bdi>`
}

const LONG_WORD = /\S{15}/

export function figures(report: DrillReport): Html {
  const changes = new Map(
    report.previous === undefined ? [] : compare(report, report.previous).map((one) => [one.name, one]),
  )
  const before = (name: string): string | undefined => changes.get(BEFORE[name] ?? '')?.before
  const items = figuresOf(report).map(({ name, value, unit, isBad }) => {
    const last = before(name)
    return html`<div class="figure"><dt>${name}</dt><dd><b class="${isBad ? 'value bad' : 'value'}">${value}</b> <span>${unit}</span>${when(last !== undefined, () => html` <span class="before">before: ${last}</span>`)}</dd></div>`
  })
  return html`<dl class="figures">${items}</dl>`
}

/** Names in the comparison. */
const BEFORE: Readonly<Record<string, string>> = {
  RTO: 'seconds without a good write',
  RPO: 'acknowledged items lost',
  'Stored twice': 'contents stored twice',
  'First good write': 'seconds to the first good write',
  'Lost by Redis': 'writes lost by Redis',
  Bystanders: 'failed requests of other clients',
}

export function remedies(report: DrillReport, limits: Limits): Html {
  const list = remediesOf(report).slice(0, limits.rows)
  if (list.length === 0) return NOTHING
  const items = list.map(
    ({ of, what, advice }) =>
      html`<li><p><b>${words(of, limits)}</b>: ${words(what, limits)}</p><p class="advice">${words(advice, limits)}</p></li>`,
  )
  return html`<section class="remedies"><h2>What to change</h2><ul>${items}</ul></section>`
}

export function criteria({ criteria: list }: DrillReport, limits: Limits): Html {
  const rows = list.map(({ name, wanted, seen, met }) => [
    name,
    wanted,
    seen,
    badge(met ? 'met' : 'missed', met ? 'good' : 'bad'),
  ])
  if (rows.length === 0) return NOTHING
  return html`<section><h2>Criteria</h2>${table({ caption: 'What the drill must prove', head: ['criterion', 'wanted', 'seen', 'result'], rows }, limits)}</section>`
}

export function faults({ faults: list, series }: DrillReport, limits: Limits): Html {
  const items = list
    .slice(0, limits.rows)
    .map(({ name, action, state, struckAt, provenAt, undoneAt, proof, victims = [] }) => {
      const steps = Object.entries({ injected: struckAt, proven: provenAt, undone: undoneAt }).flatMap(([step, iso]) =>
        stepAt(step, momentOf(iso), series.fromMs),
      )
      const kind = state === 'Proven' ? 'good' : 'bad'
      return html`<li><h3>${words(name, limits)} ${badge(state, kind)}</h3><dl class="facts"><dt>Action</dt><dd>${action}</dd>${fact('Time', steps.join(', '), limits)}${fact('Pods', victims.join(', '), limits)}${fact('Proof', proof ?? '', limits)}</dl></li>`
    })
  if (items.length === 0) return NOTHING
  return html`<section><h2>Faults</h2><ol class="faults">${items}</ol></section>`
}

function stepAt(step: string, ms: number | undefined, fromMs: number): readonly string[] {
  return ms === undefined ? [] : [`${step} at ${offsetText(ms - fromMs)}`]
}

function fact(name: string, value: string, limits: Limits): Html {
  return when(value !== '', () => html`<dt>${name}</dt><dd>${words(value, limits)}</dd>`)
}

export function checks({ checks: list }: DrillReport, limits: Limits): Html {
  const items = list.slice(0, limits.rows).map((check) => checkItem(check, limits))
  if (items.length === 0) return NOTHING
  return html`<section><h2>Checks of the history</h2><ul class="checks">${items}</ul></section>`
}

function checkItem({ name, kind, why, examples, figures: counts }: CheckResult, limits: Limits): Html {
  const shown = examples.slice(0, limits.examples)
  const more = examples.length - shown.length
  const numbers = Object.entries(counts).slice(0, limits.rows)
  const figureText = numbers.map(([figure, value]) => `${figure} ${countText(value)}`).join(', ')
  return html`<li><p>${words(name, limits)} ${badge(kind, KINDS[kind])}${when(why !== '', () => html` ${words(why, limits)}`)}${when(figureText !== '', () => html` <span class="note">${words(figureText, limits)}</span>`)}</p>${when(shown.length > 0, () => html`<ul class="examples">${shown.map((one) => html`<li>${words(one, limits)}</li>`)}${when(more > 0, () => html`<li class="note">${more} more examples are in the JSON report.</li>`)}</ul>`)}</li>`
}

const KINDS = { valid: 'good', violated: 'bad', inconclusive: 'unsure' } as const

function badge(says: string, kind: 'good' | 'bad' | 'unsure'): Html {
  return html`<span class="badge ${kind}">${says}</span>`
}

export function events({ errors, roles, marks, series }: DrillReport, limits: Limits): Html {
  const at = (ms: number): string => offsetText(ms - series.fromMs)
  const tables = [
    table(
      {
        caption: 'Failed writes by class',
        head: ['class', 'count', 'last at'],
        rows: errors.map(({ name, count, lastMs }) => [name, countText(count), at(lastMs)]),
      },
      limits,
    ),
    table(
      {
        caption: 'Changes of the primaries',
        head: ['at', 'primaries'],
        rows: roles.map(({ atMs, primaries }) => [at(atMs), primaries.join(', ') || 'none']),
      },
      limits,
    ),
    table({ caption: 'Moments', head: ['at', 'event'], rows: marks.map(({ atMs, says }) => [at(atMs), says]) }, limits),
  ]
  return html`<section><h2>Errors, roles and moments</h2>${tables}</section>`
}

export function comparison(report: DrillReport, limits: Limits): Html {
  const { previous } = report
  if (previous === undefined) return NOTHING
  const rows = compare(report, previous).map(({ name, before, now, trend }) => [name, before, now, TRENDS[trend]])
  const caption = `${cut(previous.name, limits)}, ${timeText(previous.finishedAt)}`
  return html`<section><h2>Compared with the previous run</h2>${table({ caption, head: ['figure', 'before', 'now', 'trend'], rows }, limits)}</section>`
}

const TRENDS = { better: '↓ better', worse: '↑ worse', same: '= same', unknown: 'unknown' } as const

export function run({ drill, target, history }: DrillReport, limits: Limits): Html {
  const rows: readonly (readonly Cell[])[] = [
    ['Drill', `${drill.namespace}/${drill.name}${drill.scenario === undefined ? '' : `, scenario ${drill.scenario}`}`],
    ['Release', drill.release],
    ['Started', `${timeText(drill.startedAt)} by ${drill.startedBy}`],
    ['Finished', timeText(drill.finishedAt)],
    ['Version of ingot', drill.version],
    ['Target', `Redis ${target.mode}, store ${target.store}, locks ${target.lock}`],
    ...target.images.map(({ component, image, digest }) => [`Image of ${component}`, `${image} ${digest}`]),
    ['History', `${countText(history.events)} events`],
    ['SHA-256 of the history', html`<code class="long">${history.sha256}</code>`],
  ]
  return html`<section><h2>Run</h2>${table({ caption: 'Who, when and what', head: ['fact', 'value'], rows }, limits)}</section>`
}

/** Rows of the values: a screen reader can read them through. */
const VALUES = 60

export function values({ series }: DrillReport, limits: Limits): Html {
  const rows = bucketsOf(series, VALUES).map(({ atMs, acknowledged, failed, p50Ms, p99Ms }) => [
    offsetText(atMs - series.fromMs),
    acknowledged.toFixed(1),
    String(failed),
    p50Ms === undefined ? '–' : String(Math.round(p50Ms)),
    p99Ms === undefined ? '–' : String(Math.round(p99Ms)),
  ])
  const head = ['from', 'good/s', 'failed/s', 'p50 ms', 'p99 ms']
  return html`<details><summary>Values of the time line</summary>${table({ caption: 'Averages of good writes, highest second of the others', head, rows }, limits)}</details>`
}
