/** Renders the report of a drill, stores it with its history, and compares it with the run before. */

import type { DrillReport } from '../report/model.ts'
import { htmlOfReport } from '../report/run/html/page.ts'
import { jsonOfReport, parseReport } from '../report/run/json.ts'
import { junitOfReport } from '../report/run/junit.ts'
import { markdownOfReport } from '../report/run/markdown.ts'
import type { ReportFiles, ReportStore } from '../report/store/store.ts'

export interface Publication {
  readonly report: DrillReport
  /** Drill or schedule whose runs are compared. */
  readonly of: string
  readonly store: ReportStore
}

export interface Published {
  /** Place of the report in its store. */
  readonly place: string
  readonly files: ReportFiles
}

/** Names of the files of a report. */
const FILES = {
  'report.html': htmlOfReport,
  'report.md': markdownOfReport,
  'report.json': jsonOfReport,
  'report.xml': junitOfReport,
} as const

/** Resolves with the place of the report. A run before that cannot be read is left out. */
export async function publish({ report, of, store }: Publication, signal: AbortSignal): Promise<Published> {
  const previous = await previousOf({ report, of, store }, signal).catch(() => {
    signal.throwIfAborted()
    return undefined
  })
  const compared = previous === undefined ? report : { ...report, previous }
  const files = Object.fromEntries(Object.entries(FILES).map(([name, render]) => [name, render(compared)]))
  const place = await store.save(report.drill.name, { of, at: report.drill.finishedAt, files }, signal)
  return { place, files }
}

async function previousOf({ of, store }: Publication, signal: AbortSignal): Promise<DrillReport['previous']> {
  const name = await store.latest(of, signal)
  const text = name === undefined ? undefined : (await store.load(name, signal))?.files['report.json']
  if (name === undefined || text === undefined) return undefined
  const { drill, verdict, summary } = parseReport(text, name)
  return { name, finishedAt: drill.finishedAt, verdict, summary }
}
