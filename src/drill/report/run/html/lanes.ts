/** The lanes of the time line: a bar for each fault, and marks for changes of the primaries. Pure. */
import type { FaultStatus } from '../../../spec/status.ts'
import type { DrillReport } from '../../model.ts'
import { offsetText } from '../figures.ts'
import { momentOf, percent, type TimeAxis } from './axis.ts'
import { type Html, html, NOTHING } from './escape.ts'
import { cut } from './limits.ts'

const LANE = 22
const BAR = 14
/** Longest name in the chart. The list of faults has it whole. */
const NAME = 26

interface Lanes {
  readonly markup: Html
  readonly endY: number
  /** Returns the bands behind the panels. */
  bands(fromY: number, endY: number): Html
}

/** Returns a lane for each fault that was injected. */
export function faultLanes({ faults }: DrillReport, axis: TimeAxis, fromY: number): Lanes {
  const struck = faults.filter(({ struckAt }) => momentOf(struckAt) !== undefined)
  const spans = struck.map((fault) => ({ fault, ...spanOf(fault, axis) }))
  const bars = spans.map(({ fault, x, width }, lane) => {
    const y = fromY + lane * LANE
    const shown = html`<title>${fault.name}: ${fault.action}, ${fault.state}</title>`
    return html`<g><rect class="${fault.state === 'Proven' ? 'fault' : 'fault unproven'}" x="${percent(x)}" width="${percent(width)}" y="${y}" height="${BAR}" rx="3">${shown}</rect>${nameOf(fault, x, width, y + BAR - 3)}</g>`
  })
  return {
    markup: html`<text class="panel" x="0" y="${fromY - 7}">${struck.length === 0 ? 'No fault was injected' : 'Faults'}</text>${bars}`,
    endY: fromY + spans.length * LANE,
    bands: (top, bottom) =>
      html`<g aria-hidden="true">${spans.map(
        ({ x, width }) =>
          html`<rect class="band" x="${percent(x)}" width="${percent(width)}" y="${top}" height="${bottom - top}"/>`,
      )}</g>`,
  }
}

/** Narrower bars could not be seen, in percent. */
const NARROW = 0.6

function spanOf({ struckAt, undoneAt, provenAt }: FaultStatus, axis: TimeAxis): { x: number; width: number } {
  const fromMs = momentOf(struckAt) ?? axis.fromMs
  const x = Math.min(axis.at(fromMs), 100 - NARROW)
  const toMs = momentOf(undoneAt) ?? momentOf(provenAt) ?? fromMs
  return { x, width: Math.max(NARROW, axis.at(toMs) - x) }
}

/** The name is on the side of the bar that has more room, or within a bar that fills the width. */
function nameOf({ name }: FaultStatus, x: number, width: number, y: number): Html {
  const short = name.length > NAME ? `${name.slice(0, NAME - 1)}…` : name
  const [before, after] = [x, 100 - x - width]
  if (Math.max(before, after) < 30)
    return html`<text class="name inside" x="${percent(x + 1)}" y="${y}">${short}</text>`
  if (after >= before) return html`<text class="name" x="${percent(x + width)}" dx="5" y="${y}">${short}</text>`
  return html`<text class="name" x="${percent(x)}" dx="-5" y="${y}" text-anchor="end">${short}</text>`
}

/** Marks in the chart. The table of the changes has all of them. */
const MARKS = 200
/** Characters of a text that is shown at a mark. */
const LONGEST = 80

/** Returns a mark for each change after the first sample. */
export function roleLane(
  { roles, series }: DrillReport,
  axis: TimeAxis,
  fromY: number,
): { markup: Html; endY: number } {
  if (roles.length < 2) return { markup: NOTHING, endY: fromY }
  const y = fromY + GAP_ABOVE
  const marks = roles.slice(1, MARKS).map(({ atMs, primaries }) => {
    const names = cut(primaries.join(', '), { characters: LONGEST })
    const says = `${offsetText(atMs - series.fromMs)}: ${names || 'no primary'}`
    const kind = primaries.length === 0 ? 'role lost' : 'role'
    return html`<circle class="${kind}" cx="${percent(axis.at(atMs))}" cy="${y + 7}" r="4"><title>${says}</title></circle>`
  })
  const line = html`<line class="rule" x1="0" x2="100%" y1="${y + 7}" y2="${y + 7}"/>`
  return {
    markup: html`<g><text class="panel" x="0" y="${y - 5}">Changes of the primaries</text>${line}${marks}</g>`,
    endY: y + 14,
  }
}

const GAP_ABOVE = 20
