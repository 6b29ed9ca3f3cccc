/** What a drill is, where it runs, and what it knows while it runs. */
import type { Workloads } from '../../kube/workloads.ts'
import { systemClock } from '../../std/clock.ts'
import type { Event } from '../history.ts'
import type { DrillWindow } from '../report/judge.ts'
import type { DrillReport } from '../report/model.ts'
import type { DrillPlan } from '../spec/scenarios.ts'
import type { DrillSpec } from '../spec/schema.ts'
import type { DrillHome } from '../targets/home.ts'
import type { DrillContext } from '../targets/kubernetes/context.ts'
import type { Machines } from '../targets/kubernetes/machines.ts'
import type { RedisView } from '../targets/redis/view.ts'
import type { ReleaseFacts } from '../targets/release.ts'
import type { UndoList } from '../undo.ts'
import type { DrillAborted } from './aborts.ts'
import type { Bystanders } from './bystanders.ts'
import type { DrillLog, Progress } from './progress.ts'
import type { RoleSample } from './sampler.ts'

export interface Drill {
  readonly name: string
  /** Such as `operator`, or the name of a user. */
  readonly startedBy: string
  readonly spec: DrillSpec
}

/** Where a drill runs, and with what. */
export interface DrillDeps {
  readonly workloads: Workloads
  readonly redis: RedisView
  /** Absent if the machines of the cluster cannot be reached. */
  readonly machines?: Machines
  /** Makes the sources of records for the release. */
  readonly home: (release: ReleaseFacts) => DrillHome
  readonly bystanders: Bystanders
  /** Resolves with the context of the operator's pods. Rejects with a Refusal if they cannot be reached. */
  readonly operator: (context: DrillContext, signal: AbortSignal) => Promise<DrillContext>
  readonly log: DrillLog
  /** Version of ingot. */
  readonly version: string
  readonly say: (line: string) => void
}

export interface DrillOutcome {
  readonly report: DrillReport
  /** All events, in order of time. */
  readonly events: readonly Event[]
}

/** What a running drill knows. */
export interface State {
  readonly drill: Drill
  readonly deps: DrillDeps
  readonly context: DrillContext
  readonly release: ReleaseFacts
  readonly plan: DrillPlan
  readonly progress: Progress
  readonly undo: UndoList
  readonly marks: { atMs: number; says: string }[]
}

/** What came of the faults. */
export interface Struck {
  readonly window: DrillWindow
  readonly samples: readonly RoleSample[]
  readonly aborted?: DrillAborted
  readonly obstacle?: { readonly reason: string; readonly message: string }
}

/** Returns the present time in ISO 8601. */
export const isoNow = (): string => new Date(systemClock.wallMs()).toISOString()

/** Reports a phase, and marks it on the time line. */
export async function enter(
  { progress, marks, deps }: State,
  name: Parameters<Progress['phase']>[0],
  says: string,
  signal: AbortSignal,
) {
  marks.push({ atMs: systemClock.wallMs(), says: `${name}: ${says}` })
  deps.say(`${name}: ${says}`)
  await progress.phase(name, says, signal)
}
