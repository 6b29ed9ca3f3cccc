/** The port of a store of drill reports. */
import { IngotError } from '../../../errors/error.ts'

/** Text by the name of a file, such as `report.html`. */
export type ReportFiles = Readonly<Record<string, string>>

export interface StoredReport {
  /** Drill or schedule whose runs are compared. */
  readonly of: string
  /** End of the run, ISO 8601. The latest run is the one with the highest time. */
  readonly at: string
  readonly files: ReportFiles
}

/**
 * Rejects with REPORT_NAME_INVALID, REPORT_STORE_REFUSED, REPORT_STORE_UNAVAILABLE, a code KUBE_* or the signal's reason.
 * Names are those of drills.
 */
export interface ReportStore {
  /**
   * Saves all files or none: until the last one is stored, `load` and `latest` do not see the report. A report of the
   * same name is replaced. Resolves with the place for `status.report.name`. Rejects with REPORT_TOO_LARGE.
   */
  save(name: string, report: StoredReport, signal: AbortSignal): Promise<string>
  /** Resolves with undefined if there is no such report. Rejects with REPORT_DAMAGED for files that were changed. */
  load(name: string, signal: AbortSignal): Promise<StoredReport | undefined>
  /** Resolves with the name of the latest report of this drill or schedule, or with undefined. */
  latest(of: string, signal: AbortSignal): Promise<string | undefined>
}

const NAME = /^[a-z0-9]([-a-z0-9.]{0,198}[a-z0-9])?$/

/** Throws REPORT_NAME_INVALID for a name that could leave its folder or that Kubernetes refuses. */
export function requireName(name: string): string {
  if (NAME.test(name) && !name.includes('..')) return name
  throw new IngotError('REPORT_NAME_INVALID', `${JSON.stringify(name)} cannot be a name of a report or of its file`)
}

/** Checks all names of a report. */
export function requireNames(name: string, { of, files }: StoredReport): void {
  for (const one of [name, of, ...Object.keys(files)]) requireName(one)
}
