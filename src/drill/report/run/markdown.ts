/** Renders the report of a drill as Markdown, for pull requests and job summaries. Pure. */
import { printableLine } from '../../../std/printable.ts'
import type { DrillReport } from '../model.ts'
import { compare } from './compare.ts'
import { countText, figuresOf, offsetText, remediesOf, timeText } from './figures.ts'

/** Returns the Markdown document. Text from outside is shown as text: it makes no link, no HTML and no table cell. */
export function markdownOfReport(report: DrillReport): string {
  const { drill, verdict, message } = report
  const sections = [
    `# ${verdict}: ${plain(drill.title)}`,
    plain(message),
    table(
      ['figure', 'value', ''],
      figuresOf(report).map(({ name, value, unit }) => [name, value, unit]),
    ),
    remedies(report),
    section('Criteria', ['criterion', 'wanted', 'seen', 'met'], criteriaRows(report)),
    section('Faults', ['fault', 'action', 'state', 'at', 'pods', 'proof'], faultRows(report)),
    section('Checks', ['check', 'finding', 'why', 'examples'], checkRows(report)),
    section('Failed writes by class', ['class', 'count', 'last at'], errorRows(report)),
    section('Changes of the primaries', ['at', 'primaries'], roleRows(report)),
    previous(report),
    section('Run', ['', ''], runRows(report)),
  ]
  return `${sections.filter((one) => one !== '').join('\n\n')}\n`
}

function remedies(report: DrillReport): string {
  const list = remediesOf(report)
  if (list.length === 0) return ''
  const lines = list.map(({ of, what, advice }) => `- **${plain(of)}** (${plain(what)}): ${plain(advice)}`)
  return ['## What to change', '', ...lines].join('\n')
}

type Row = readonly string[]

function criteriaRows({ criteria }: DrillReport): readonly Row[] {
  return criteria.map(({ name, wanted, seen, met }) => [name, wanted, seen, met ? 'yes' : '**no**'])
}

function faultRows({ faults, series }: DrillReport): readonly Row[] {
  return faults.map(({ name, action, state, struckAt, victims = [], proof = '' }) => [
    name,
    action,
    state,
    struckAt === undefined ? '' : offsetText(Date.parse(struckAt) - series.fromMs),
    victims.join(', '),
    proof,
  ])
}

/** Examples in a row; the HTML report and the JSON have more. */
const EXAMPLES = 3

function checkRows({ checks }: DrillReport): readonly Row[] {
  return checks.map(({ name, kind, why, examples }) => [name, kind, why, examples.slice(0, EXAMPLES).join('; ')])
}

function errorRows({ errors, series }: DrillReport): readonly Row[] {
  return errors.map(({ name, count, lastMs }) => [name, countText(count), offsetText(lastMs - series.fromMs)])
}

function roleRows({ roles, series }: DrillReport): readonly Row[] {
  return roles.map(({ atMs, primaries }) => [offsetText(atMs - series.fromMs), primaries.join(', ') || 'none'])
}

function previous(report: DrillReport): string {
  if (report.previous === undefined) return ''
  const rows = compare(report, report.previous).map(({ name, before, now, trend }) => [name, before, now, trend])
  const from = `${report.previous.name} of ${timeText(report.previous.finishedAt)}`
  return `## Compared with ${plain(from)}\n\n${table(['', 'before', 'now', ''], rows)}`
}

function runRows({ drill, target, history }: DrillReport): readonly Row[] {
  return [
    ['drill', `${drill.namespace}/${drill.name}${drill.scenario === undefined ? '' : ` (${drill.scenario})`}`],
    ['release', drill.release],
    ['started', `${timeText(drill.startedAt)} by ${drill.startedBy}`],
    ['finished', timeText(drill.finishedAt)],
    ['ingot', drill.version],
    ['target', `Redis ${target.mode}, store ${target.store}, locks ${target.lock}`],
    ...target.images.map(({ component, image, digest }) => [component, `${image} ${digest}`]),
    ['history', `${countText(history.events)} events, SHA-256 ${history.sha256}`],
  ]
}

function section(title: string, head: Row, rows: readonly Row[]): string {
  return rows.length === 0 ? '' : `## ${title}\n\n${table(head, rows)}`
}

/** Cells are escaped, except those that this file makes bold. */
function table(head: Row, rows: readonly Row[]): string {
  const lines = rows.map((cells) => line(cells.map((cell) => (cell === '**no**' ? cell : plain(cell)))))
  return [line(head), line(head.map(() => '---')), ...lines].join('\n')
}

const line = (cells: Row): string => `| ${cells.join(' | ')} |`

/** Returns the text on one line, with every character escaped that Markdown or HTML could read as markup. */
function plain(text: string): string {
  return printableLine(text)
    .replaceAll(/[\\`*_{}[\]<>|~!#@]/g, (character) => `\\${character}`)
    .replaceAll('&', '&amp;')
    .replaceAll('://', ':\u200B//')
}
