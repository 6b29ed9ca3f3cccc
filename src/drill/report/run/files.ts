/** The files of a report, as the stores keep them. Pure. */
import type { DrillReport } from '../model.ts'
import { htmlOfReport } from './html/page.ts'
import { jsonOfReport } from './json.ts'

export const HTML_FILE = 'report.html'
export const JSON_FILE = 'report.json'

/** Returns the page and the data. Markdown and JUnit are rendered from the data when they are wanted. */
export function filesOfReport(report: DrillReport): Readonly<Record<string, string>> {
  return { [HTML_FILE]: htmlOfReport(report), [JSON_FILE]: jsonOfReport(report) }
}
