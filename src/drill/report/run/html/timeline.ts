/**
 * The time line: faults, changes of the primaries, load, failed writes and latency over one time axis. The outer SVG has
 * no view box, so text keeps its size on every screen; inner ones stretch their paths to its width. Pure.
 */
import type { DrillReport } from '../../model.ts'
import { offsetText } from '../figures.ts'
import { momentOf, percent, type TimeAxis, timeAxis } from './axis.ts'
import { type Bucket, bucketsOf, silences } from './buckets.ts'
import { type Html, html } from './escape.ts'
import { faultLanes, roleLane } from './lanes.ts'
import { barPath, latencyPath, loadPath } from './paths.ts'
import { logPosition, roundUp, timeTicks } from './scale.ts'

/** Points of a chart. A screen shows no more. */
export const POINTS = 600
const GAP = 26
const AXIS = 20
const HEIGHTS = { load: 96, failed: 56, latency: 110 } as const
/** Units of the inner drawings in x. */
const WIDE = 1_000
const TICKS = 7

/** Returns the chart with its legend, and its values for the script. */
export function timeline(report: DrillReport): Html {
  const axis = timeAxis(report)
  const buckets = bucketsOf(report.series, POINTS)
  const lanes = faultLanes(report, axis, GAP)
  const roles = roleLane(report, axis, lanes.endY)
  const loadY = roles.endY + GAP
  const failedY = loadY + HEIGHTS.load + GAP
  const latencyY = failedY + HEIGHTS.failed + GAP
  const endY = latencyY + HEIGHTS.latency
  return html`<figure class="timeline">
<p id="readout" class="readout">Times count from the start of the load, in minutes and seconds.</p>
<svg id="chart" class="chart" width="100%" height="${endY + AXIS + 4}" role="img" aria-labelledby="chart-title chart-text">
<title id="chart-title">Time line of the drill</title><desc id="chart-text">${description(report, buckets)}</desc>
${grid(axis, endY)}
${lanes.bands(loadY - GAP, endY)}
${silent(report, axis, loadY, endY)}
${lanes.markup}${roles.markup}
${loadPanel(buckets, axis, loadY)}
${failedPanel(buckets, axis, failedY)}
${latencyPanel(buckets, axis, latencyY)}
<line id="cursor" class="cursor" x1="0" x2="0" y1="0" y2="${endY}" visibility="hidden"/>
</svg>
<figcaption class="legend"><span class="key good">acknowledged</span> <span class="key bad">failed</span> <span class="key mid">median</span> <span class="key high">99th percentile</span> <span class="key band">fault</span> <span class="key none">no good write</span> <span class="key role">change of a primary</span></figcaption>
</figure>`
}

function description({ series, faults, roles }: DrillReport, buckets: readonly Bucket[]): string {
  const spans = silences(series).length
  const slowest = Math.round(buckets.reduce((most, { p99Ms = 0 }) => Math.max(most, p99Ms), 0))
  const struck = faults.map(({ name, struckAt }) => {
    const ms = momentOf(struckAt)
    return ms === undefined ? `${name} not injected` : `${name} at ${offsetText(ms - series.fromMs)}`
  })
  return (
    `${series.acknowledged.length} seconds of load, ${spans} spans without an acknowledged write, ` +
    `highest 99th percentile ${slowest} ms, ${Math.max(0, roles.length - 1)} changes of the primaries. ` +
    `Faults: ${struck.join(', ') || 'none'}. The table "Values of the time line" has the values.`
  )
}

function grid({ fromMs, toMs, at }: TimeAxis, endY: number): Html {
  const ticks = timeTicks((toMs - fromMs) / 1_000, TICKS)
  const lines = ticks.map((second) => {
    const x = percent(at(fromMs + second * 1_000))
    const anchor = second === 0 ? 'start' : 'middle'
    return html`<line class="grid" x1="${x}" x2="${x}" y1="0" y2="${endY}"/><text class="tick" x="${x}" y="${endY + 15}" text-anchor="${anchor}">${offsetText(second * 1_000)}</text>`
  })
  return html`<g aria-hidden="true">${lines}</g>`
}

function silent({ series }: DrillReport, { at }: TimeAxis, fromY: number, endY: number): Html {
  const bars = silences(series).map(({ fromMs, toMs }) => {
    const x = at(fromMs)
    return html`<rect class="silent" x="${percent(x)}" width="${percent(at(toMs) - x)}" y="${fromY}" height="${endY - fromY}"/>`
  })
  return html`<g>${bars}</g>`
}

interface Panel {
  readonly y: number
  readonly height: number
  readonly title: string
  readonly drawing: Html
  readonly lines?: readonly { readonly y: number; readonly says: string }[]
}

function panel({ y, height, title, drawing, lines = [] }: Panel, axis: TimeAxis, buckets: readonly Bucket[]): Html {
  const width = axis.at(endOf(buckets, axis.fromMs))
  const rules = lines.map(
    (line) =>
      html`<line class="rule" x1="0" x2="100%" y1="${y + line.y}" y2="${y + line.y}"/><text class="tick" x="100%" y="${y + line.y - 3}" text-anchor="end">${line.says}</text>`,
  )
  return html`<g><text class="panel" x="0" y="${y - 7}">${title}</text><line class="base" x1="0" x2="100%" y1="${y + height}" y2="${y + height}"/>${rules}<svg x="0" y="${y}" width="${percent(width)}" height="${height}" viewBox="0 0 ${WIDE} ${height}" preserveAspectRatio="none" aria-hidden="true">${drawing}</svg></g>`
}

function endOf(buckets: readonly Bucket[], fromMs: number): number {
  const last = buckets.at(-1)
  return last === undefined ? fromMs : last.atMs + last.seconds * 1_000
}

function loadPanel(buckets: readonly Bucket[], axis: TimeAxis, y: number): Html {
  const top = roundUp(buckets.reduce((most, { acknowledged }) => Math.max(most, acknowledged), 0))
  const height = HEIGHTS.load
  const drawing = html`<path class="good" d="${loadPath(buckets, { wide: WIDE, height, top })}"/>`
  const title = 'Acknowledged writes per second'
  return panel({ y, height, title, drawing, lines: [{ y: 0, says: String(top) }] }, axis, buckets)
}

function failedPanel(buckets: readonly Bucket[], axis: TimeAxis, y: number): Html {
  const top = roundUp(buckets.reduce((most, { failed }) => Math.max(most, failed), 0))
  const height = HEIGHTS.failed
  const drawing = html`<path class="bad" d="${barPath(buckets, { wide: WIDE, height, top })}"/>`
  const title = 'Failed writes per second'
  return panel({ y, height, title, drawing, lines: [{ y: 0, says: String(top) }] }, axis, buckets)
}

function latencyPanel(buckets: readonly Bucket[], axis: TimeAxis, y: number): Html {
  const height = HEIGHTS.latency
  const highest = buckets.reduce((most, { p99Ms = 0 }) => Math.max(most, p99Ms), 10)
  const high = 10 ** Math.ceil(Math.log10(highest))
  const box = { wide: WIDE, height, top: high }
  const powers = Array.from({ length: Math.round(Math.log10(high)) }, (_, index) => 10 ** (index + 1))
  const lines = powers.map((ms) => ({ y: logPosition(ms, 1, high, height), says: latencyText(ms) }))
  const drawing = html`<path class="high" d="${latencyPath(buckets, 'p99Ms', box)}"/><path class="mid" d="${latencyPath(buckets, 'p50Ms', box)}"/>`
  return panel({ y, height, title: 'Latency of acknowledged writes (logarithmic)', drawing, lines }, axis, buckets)
}

const latencyText = (ms: number): string => (ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`)
