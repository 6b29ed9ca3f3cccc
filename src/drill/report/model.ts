/** The report of a drill as data. Its renderings (HTML, Markdown, JUnit) show the same values. JSON is this object. */
import type { DrillVerdict, FaultStatus, Summary } from '../spec/status.ts'

export interface DrillReport {
  /** Version of this format. */
  readonly format: 1
  readonly drill: {
    readonly name: string
    readonly namespace: string
    readonly release: string
    /** D1 to D12. Absent for own faults. */
    readonly scenario?: string
    /** One sentence: what the drill shows. */
    readonly title: string
    /** Such as `operator`, `schedule weekly` or the name of a user. */
    readonly startedBy: string
    /** ISO 8601. */
    readonly startedAt: string
    readonly finishedAt: string
    /** Version of ingot that ran the drill. */
    readonly version: string
  }
  readonly target: {
    readonly mode: string
    readonly store: string
    readonly lock: string
    readonly images: readonly { readonly component: string; readonly image: string; readonly digest: string }[]
  }
  readonly verdict: DrillVerdict
  /** CamelCase. */
  readonly reason: string
  /** A sentence. */
  readonly message: string
  readonly summary: Summary
  readonly criteria: readonly CriterionResult[]
  readonly checks: readonly CheckResult[]
  readonly faults: readonly FaultStatus[]
  /** Changes of the primaries, beginning with the first sample. Times are milliseconds since the Unix epoch. */
  readonly roles: readonly { readonly atMs: number; readonly primaries: readonly string[] }[]
  /** Phases and other moments of the drill. */
  readonly marks: readonly { readonly atMs: number; readonly says: string }[]
  readonly series: Series
  /** Failed writes by class, most frequent first. */
  readonly errors: readonly { readonly name: string; readonly count: number; readonly lastMs: number }[]
  readonly history: { readonly events: number; readonly sha256: string }
  /** The run before of the same drill. */
  readonly previous?: PreviousRun
}

export interface CriterionResult {
  /** Name in the spec, such as `lostItems`. */
  readonly name: string
  readonly wanted: string
  readonly seen: string
  readonly met: boolean
  /** What to change. Present if it was not met. */
  readonly advice?: string
}

export interface CheckResult {
  readonly name: string
  readonly kind: 'valid' | 'violated' | 'inconclusive'
  readonly why: string
  readonly examples: readonly string[]
  readonly figures: Readonly<Record<string, number>>
}

/** Columns of equal length: one value per second of the load. */
export interface Series {
  /** Start of the first second, in milliseconds since the Unix epoch. */
  readonly fromMs: number
  readonly acknowledged: readonly number[]
  readonly failed: readonly number[]
  /** Milliseconds of acknowledged writes; 0 in a second without one. */
  readonly p50Ms: readonly number[]
  readonly p99Ms: readonly number[]
}

export interface PreviousRun {
  readonly name: string
  readonly finishedAt: string
  readonly verdict: DrillVerdict
  readonly summary: Summary
}
