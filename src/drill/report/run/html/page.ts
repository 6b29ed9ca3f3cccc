/**
 * Renders the report of a drill as one HTML file. It needs no network and no script, and a content security policy
 * forbids both, except its own script for the cursor. Pure.
 */
import { createHash } from 'node:crypto'
import type { DrillReport } from '../../model.ts'
import { offsetText, remediesOf, timeText } from '../figures.ts'
import { timeAxis } from './axis.ts'
import { bucketsOf } from './buckets.ts'
import { type Html, html, trusted } from './escape.ts'
import { cut, LIMITS, type Limits } from './limits.ts'
import { SCRIPT } from './script.ts'
import * as sections from './sections.ts'
import { STYLE } from './style.ts'
import { POINTS, timeline } from './timeline.ts'

/** Largest file, in bytes: a ConfigMap holds 1 MiB with all else in it. */
export const MAX_HTML_BYTES = 900 * 1_024

/** Returns the HTML document, of at most `MAX_HTML_BYTES`. A long report shows fewer rows and shorter texts. */
export function htmlOfReport(report: DrillReport): string {
  let document = ''
  for (const limits of LIMITS) {
    document = pageOf(report, limits).markup
    if (Buffer.byteLength(document) <= MAX_HTML_BYTES) break
  }
  return document
}

const sourceOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

const POLICY = [
  "default-src 'none'",
  `style-src ${sourceOf(STYLE)}`,
  `script-src ${sourceOf(SCRIPT)}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

function pageOf(report: DrillReport, limits: Limits): Html {
  const { drill, verdict } = report
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${verdict}: ${cut(drill.title, limits)} (${cut(drill.name, limits)})</title>
<link rel="icon" href="data:,">
<style>${trusted(STYLE)}</style>
</head>
<body>
<main>
${header(report, limits)}
${sections.figures(report)}
${sections.remedies(report, limits)}
<section><h2>Time line</h2>${timeline(report)}${sections.values(report, limits)}</section>
${sections.criteria(report, limits)}
${sections.faults(report, limits)}
${sections.checks(report, limits)}
${sections.events(report, limits)}
${sections.comparison(report, limits)}
${sections.run(report, limits)}
</main>
<script type="application/json" id="values">${trusted(valuesOf(report))}</script>
<script>${trusted(SCRIPT)}</script>
</body>
</html>
`
}

function header(report: DrillReport, limits: Limits): Html {
  const { drill, verdict, message } = report
  const took = offsetText(Date.parse(drill.finishedAt) - Date.parse(drill.startedAt))
  const where = `${drill.namespace}/${drill.name}`
  const count = remediesOf(report).length
  const todo = count === 0 ? '' : ` · ${count} ${count === 1 ? 'finding' : 'findings'}`
  return html`<header><span class="verdict ${verdict}">${verdict}</span>
<h1><bdi class="long">${cut(drill.title, limits)}</bdi></h1>
<p class="message"><bdi class="long">${cut(message, limits)}</bdi></p>
<p class="meta"><bdi class="long">${cut(where, limits)}</bdi>${drill.scenario === undefined ? '' : ` · ${drill.scenario}`} · release <bdi class="long">${cut(drill.release, limits)}</bdi> · ${timeText(drill.startedAt)} · took ${took}${todo}</p></header>`
}

/** Returns the values for the script. JSON in a page must not contain the beginning of a tag. */
function valuesOf(report: DrillReport): string {
  const { fromMs, toMs } = timeAxis(report)
  const buckets = bucketsOf(report.series, POINTS)
  const rows = buckets.map(({ acknowledged, failed, p50Ms = 0, p99Ms = 0 }) => [
    Math.round(acknowledged * 10) / 10,
    failed,
    Math.round(p50Ms),
    Math.round(p99Ms),
  ])
  const seconds = buckets[0]?.seconds ?? 1
  return JSON.stringify({ spanMs: toMs - fromMs, seconds, rows }).replaceAll('<', '\\u003c')
}
