/** DrillSchedules as the operator keeps them in memory. Pure. */
import { Compile } from 'typebox/compile'
import type { KubeObject } from '../../kube/client/resource.ts'
import {
  DRILL_SCHEDULE_SPEC,
  DRILL_SCHEDULE_STATUS,
  type ScheduleSpec,
  type ScheduleStatus,
} from '../kinds/drill-schedule.ts'

import { withoutManagers } from './drill-object.ts'

export interface ScheduleObject extends KubeObject {
  /** The spec, or why it cannot be read: another version of the definition accepted it. */
  readonly spec: ScheduleSpec | { readonly unreadable: string }
  /** Empty before the first report. */
  readonly status: ScheduleStatus
}

const SPEC = Compile(DRILL_SCHEDULE_SPEC)
const STATUS = Compile(DRILL_SCHEDULE_STATUS)

export function keepSchedule({ metadata, spec, status }: KubeObject): ScheduleObject {
  const [problem] = SPEC.Check(spec) ? [] : SPEC.Errors(spec)
  return {
    metadata: withoutManagers(metadata),
    spec: SPEC.Check(spec) ? spec : { unreadable: `${problem?.instancePath ?? ''} ${problem?.message ?? ''}`.trim() },
    status: STATUS.Check(status) ? status : {},
  }
}
