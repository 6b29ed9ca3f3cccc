/** Builds the report of a drill from its records. Pure. */
import { createHash } from 'node:crypto'
import type { Pod } from '../../kube/pods.ts'
import type { Verdict } from '../checkers/verdict.ts'
import type { Event } from '../history.ts'
import type { Setup } from '../plan.ts'
import type { CheckResult, CriterionResult, DrillReport } from '../report/model.ts'
import type { FaultStatus, Summary } from '../spec/status.ts'
import { imagesOf } from '../targets/release.ts'
import type { Criterion } from './criteria.ts'
import { type RoleSample, roleChanges } from './sampler.ts'
import { errorsOf, seriesOf } from './series.ts'
import type { Drill } from './state.ts'
import type { Decision } from './verdict.ts'

export interface ReportParts {
  readonly drill: Drill
  readonly namespace: string
  readonly title: string
  readonly version: string
  readonly startedAt: string
  readonly finishedAt: string
  /** Absent if the release could not be read. */
  readonly setup: Setup | undefined
  readonly pods: readonly Pod[]
  readonly decision: Decision
  readonly summary: Partial<Summary>
  readonly criteria: readonly Criterion[]
  readonly verdict: Verdict | undefined
  readonly faults: readonly FaultStatus[]
  readonly samples: readonly RoleSample[]
  readonly marks: DrillReport['marks']
  readonly load: readonly Event[]
  /** The whole history, in order of time. */
  readonly events: readonly Event[]
}

const NOTHING: Summary = { attempted: 0, acknowledged: 0, indeterminate: 0, rejected: 0, secondsWithoutWrite: 0 }
/** Counter-examples of a check that a report shows. */
const MAX_EXAMPLES = 20

export function createReport(parts: ReportParts): DrillReport {
  const { drill, decision, setup, verdict, load, events } = parts
  const { name, startedBy, spec } = drill
  const { namespace, title, startedAt, finishedAt, version } = parts
  return {
    format: 1,
    drill: {
      name,
      namespace,
      release: spec.target.release,
      ...(spec.scenario === undefined ? {} : { scenario: spec.scenario }),
      title,
      startedBy,
      startedAt,
      finishedAt,
      version,
    },
    target: {
      mode: setup?.mode ?? 'unknown',
      store: setup?.store ?? 'unknown',
      lock: setup?.lock ?? 'unknown',
      images: imagesOf(parts.pods),
    },
    ...decision,
    summary: { ...NOTHING, ...parts.summary },
    criteria: parts.criteria.map(criterionOf),
    checks: checksOf(verdict),
    faults: parts.faults,
    roles: roleChanges(parts.samples),
    marks: parts.marks,
    series: seriesOf(load),
    errors: errorsOf(load),
    history: { events: events.length, sha256: createHash('sha256').update(historyText(events)).digest('hex') },
  }
}

/** Returns the file of a history: one event per line. */
export function historyText(events: readonly Event[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join('')
}

function criterionOf(criterion: Criterion): CriterionResult {
  if ('met' in criterion) return criterion
  return { name: criterion.name, wanted: 'a value', seen: `unknown: ${criterion.unknown}`, met: false }
}

function checksOf(verdict: Verdict | undefined): readonly CheckResult[] {
  return Object.entries(verdict?.checks ?? {}).map(([name, { kind, why, counterExamples, figures }]) => ({
    name,
    kind,
    why,
    examples: counterExamples.slice(0, MAX_EXAMPLES).map(({ says }) => says),
    figures,
  }))
}
