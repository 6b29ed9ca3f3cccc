/** FailoverDrills as the operator keeps them in memory, and the marks that it puts on objects. Pure. */
import { Compile } from 'typebox/compile'
import { DRILL_SPEC, type DrillSpec } from '../../drill/spec/schema.ts'
import { DRILL_STATUS, type DrillStatus } from '../../drill/spec/status.ts'
import type { KubeObject, Metadata } from '../../kube/client/resource.ts'

/** Reason why the runner must abort, an AbortReason. The runner reads its drill every second. */
export const ABORT_ANNOTATION = 'ingot.dev/abort'
/** When that reason was written, RFC 3339. */
export const ABORTED_AT_ANNOTATION = 'ingot.dev/aborted-at'
/** The runner sets it while `status.undo` is not empty. */
export const UNDO_FINALIZER = 'ingot.dev/undo'
/** On Jobs and pods: the name of the drill, shortened. On drills: the name of the schedule. */
export const DRILL_LABEL = 'ingot.dev/drill'
export const SCHEDULE_LABEL = 'ingot.dev/drill-schedule'

export const ABORT_REASONS = ['Deleted', 'Cancelled', 'Stopped', 'Disabled'] as const
export type AbortReason = (typeof ABORT_REASONS)[number]

export interface DrillObject extends KubeObject {
  /** The spec, or why it cannot be read: another version of the definition accepted it. */
  readonly spec: DrillSpec | { readonly unreadable: string }
  /** Empty before the first report. */
  readonly status: DrillStatus
  readonly hasFinalizer: boolean
}

const SPEC = Compile(DRILL_SPEC)
const STATUS = Compile(DRILL_STATUS)

export function keepDrill({ metadata, spec, status }: KubeObject): DrillObject {
  const finalizers: unknown = 'finalizers' in metadata ? metadata.finalizers : []
  return {
    metadata: withoutManagers(metadata),
    spec: SPEC.Check(spec) ? spec : { unreadable: problemOf(spec) },
    status: STATUS.Check(status) ? status : {},
    hasFinalizer: Array.isArray(finalizers) && finalizers.includes(UNDO_FINALIZER),
  }
}

/** The managers of fields are as large as the object. */
export function withoutManagers(metadata: Metadata & { readonly managedFields?: unknown }): Metadata {
  const { managedFields: _managers, ...kept } = metadata
  return kept
}

function problemOf(spec: unknown): string {
  const [first] = SPEC.Errors(spec)
  return first === undefined ? 'the spec' : `${first.instancePath} ${first.message}`.trim()
}

export function isFinished({ status }: DrillObject): boolean {
  return status.phase === 'Finished'
}

/** Returns the reason that was written to the drill, if any. */
export function abortOf({ metadata: { annotations = {} } }: KubeObject): AbortReason | undefined {
  return ABORT_REASONS.find((reason) => reason === annotations[ABORT_ANNOTATION])
}

/** Returns since when, in milliseconds since the Unix epoch. */
export function abortedAtOf({ metadata: { annotations = {} } }: KubeObject): number {
  const atMs = Date.parse(annotations[ABORTED_AT_ANNOTATION] ?? '')
  return Number.isNaN(atMs) ? Number.POSITIVE_INFINITY : atMs
}
