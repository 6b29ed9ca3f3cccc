/** `DrillSchedule`: repeats drills of one release, and knows when one last passed. */
import { type Static, Type } from 'typebox'
import { FAULTS } from '../../drill/spec/fault.ts'
import { DRILL_SCHEDULES } from '../../drill/spec/kinds.ts'
import { rules } from '../../drill/spec/parts.ts'
import { DRILL_SPEC, SCENARIO_NAMES } from '../../drill/spec/schema.ts'
import { CONDITION, VERDICTS } from '../../drill/spec/status.ts'
import type { CustomKind } from '../../kube/crd/definition.ts'

/** A duration from a minute to a year, such as `30m` or `168h`. */
const long = (description: string, byDefault: string) =>
  Type.String({
    description,
    maxLength: 16,
    default: byDefault,
    ...rules({
      rule: "self.matches('^[0-9]+(m|h)$') && duration(self) >= duration('1m') && duration(self) <= duration('8784h')",
      message: 'write a duration from a minute to a year, such as 30m or 168h',
    }),
  })

const timeOfDay = (description: string) =>
  Type.String({ description, maxLength: 5, pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' })

const limit = (description: string, byDefault: number) =>
  Type.Integer({ description, minimum: 1, maximum: 100, default: byDefault })

const { target, load, gate, criteria, abort, safety, report } = DRILL_SPEC.properties

const TEMPLATE = Type.Object({
  labels: Type.Optional(
    Type.Record(Type.String(), Type.String({ maxLength: 63 }), {
      description: 'Labels of the drills.',
      maxProperties: 16,
    }),
  ),
  spec: Type.Object(
    { target, load, gate, criteria, abort, safety, report },
    { description: 'Spec of the drills, as of a FailoverDrill.' },
  ),
})

export const DRILL_SCHEDULE_SPEC = Type.Object(
  {
    schedule: Type.String({
      description: 'When a drill starts: minute, hour, day of the month, month and day of the week, as in cron.',
      maxLength: 128,
      ...rules({
        rule: String.raw`self.matches('^[^\\s@]+([ \\t]+[^\\s]+){4}$')`,
        message: 'write the five fields of cron, such as "0 3 * * 1"',
      }),
    }),
    timeZone: Type.Optional(
      Type.String({
        description: 'Name of a time zone, such as Europe/Vienna.',
        maxLength: 64,
        pattern: '^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$',
        default: 'UTC',
      }),
    ),
    window: Type.Optional(
      Type.Object(
        {
          from: timeOfDay('First minute of a day at which a drill may start, such as 22:00.'),
          to: timeOfDay('End of that time. It may be on the next day.'),
        },
        rules({ rule: 'self.from != self.to', message: 'the window has no time in it: from equals to' }),
      ),
    ),
    suspend: Type.Optional(Type.Boolean({ description: 'Starts no further drill.', default: false })),
    scenarios: Type.Optional(
      Type.Array(Type.Enum([...SCENARIO_NAMES]), {
        description: 'Scenarios in rotation: each start takes the next one.',
        minItems: 1,
        maxItems: 24,
      }),
    ),
    faults: Type.Optional(FAULTS),
    template: TEMPLATE,
    startingDeadline: Type.Optional(long('A drill that could not start for so long after its time is skipped.', '1h')),
    successfulHistoryLimit: Type.Optional(limit('Drills with the verdict Pass that are kept.', 3)),
    failedHistoryLimit: Type.Optional(limit('Drills with another verdict that are kept.', 3)),
    freshness: Type.Optional(
      long('A pass is fresh for so long. Without a fresh one the condition Fresh is False.', '168h'),
    ),
  },
  rules({
    rule: 'has(self.scenarios) != has(self.faults)',
    message: 'write exactly one of scenarios and faults',
  }),
)

const time = (description: string) => Type.String({ description, format: 'date-time' })
const name = (description: string) => Type.String({ description, maxLength: 253 })

export const DRILL_SCHEDULE_STATUS = Type.Object({
  observedGeneration: Type.Optional(Type.Integer({ description: 'Generation of the spec that was handled.' })),
  /** The next drill takes the scenario at this number, modulo the length of the list. */
  starts: Type.Optional(Type.Integer({ description: 'Drills that were started.', minimum: 0 })),
  lastScheduled: Type.Optional(time('Times up to this one are handled: started or skipped.')),
  lastDrill: Type.Optional(name('Drill that was started last.')),
  lastVerdict: Type.Optional(Type.Enum([...VERDICTS], { description: 'Verdict of the drill that finished last.' })),
  lastPassed: Type.Optional(
    Type.Object(
      { name: name('Name of the drill.'), at: time('When it finished.') },
      { description: 'Latest drill with the verdict Pass. It stays when the drill is deleted.' },
    ),
  ),
  next: Type.Optional(time('When the next drill starts.')),
  active: Type.Optional(name('Drill that has not finished.')),
  conditions: Type.Optional(
    Type.Array(CONDITION, {
      maxItems: 16,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
  ),
})

export type ScheduleSpec = Static<typeof DRILL_SCHEDULE_SPEC>
export type ScheduleStatus = Static<typeof DRILL_SCHEDULE_STATUS>

const condition = (type: string, member: string): string => `.status.conditions[?(@.type=="${type}")].${member}`

export const DRILL_SCHEDULE: CustomKind = {
  resource: DRILL_SCHEDULES,
  singular: 'drillschedule',
  // ds is a short name of DaemonSets
  shortNames: ['dsched'],
  categories: ['ingot'],
  description: 'Drills of a release that are repeated, and when one last passed.',
  spec: DRILL_SCHEDULE_SPEC,
  status: DRILL_SCHEDULE_STATUS,
  columns: [
    { name: 'Schedule', type: 'string', jsonPath: '.spec.schedule' },
    { name: 'Release', type: 'string', jsonPath: '.spec.template.spec.target.release' },
    { name: 'Fresh', type: 'string', jsonPath: condition('Fresh', 'status') },
    { name: 'Verdict', type: 'string', jsonPath: '.status.lastVerdict' },
    { name: 'Passed', type: 'date', jsonPath: '.status.lastPassed.at' },
    { name: 'Next', type: 'string', jsonPath: '.status.next' },
    { name: 'Active', type: 'string', jsonPath: '.status.active', priority: 1 },
    { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'reason'), priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
}
