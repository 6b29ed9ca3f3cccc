/** The status of a drill, as the custom resource FailoverDrill shows it. */
import { type Static, Type } from 'typebox'
import { ACTIONS } from './schema.ts'

export const PHASES = ['Pending', 'Gate', 'Load', 'Faults', 'Settle', 'Judging', 'Finished'] as const
export type Phase = (typeof PHASES)[number]

export const VERDICTS = ['Pass', 'Fail', 'Inconclusive', 'Aborted'] as const
export type DrillVerdict = (typeof VERDICTS)[number]

const text = (description: string, maxLength = 1_024) => Type.String({ description, maxLength })
const time = (description: string) => Type.String({ description, format: 'date-time' })
const count = (description: string) => Type.Integer({ description, minimum: 0 })
const seconds = (description: string) => Type.Number({ description, minimum: 0 })

/** Steps that restore what a fault has changed. Each can be carried out again without harm. */
export const UNDO_KINDS = [
  'DeleteObject',
  'Uncordon',
  'Resume',
  'Unstall',
  'SetReplicas',
  'SetImage',
  'Unlabel',
  'Webhook',
  'Thaw',
] as const

const UNDO = Type.Object({
  id: text('Unique in the drill.', 128),
  fault: text('Name of the fault.', 63),
  kind: Type.Enum([...UNDO_KINDS]),
  /**
   * DeleteObject: apiVersion, kind, plural, namespaced, name. Uncordon, Thaw: node. Resume: pod, uid, container, process.
   * Unstall: pod. SetReplicas: kind, name, replicas. SetImage: kind, name, container, image. Unlabel: pod, label. Webhook: url, body.
   */
  args: Type.Record(Type.String(), Type.String({ maxLength: 4_096 }), { maxProperties: 8 }),
})

const FAULT = Type.Object({
  name: text('Name in the spec.', 63),
  action: Type.Enum([...ACTIONS]),
  state: Type.Enum(['Pending', 'Injected', 'Proven', 'Unproven', 'Refused'], {
    description:
      'Unproven: it did not take effect. Refused: this cluster cannot do it, or the safety limits forbid it.',
  }),
  struckAt: Type.Optional(time('When it was injected.')),
  provenAt: Type.Optional(time('When its effect was seen.')),
  undoneAt: Type.Optional(time('When it was undone.')),
  proof: Type.Optional(text('Evidence of its effect, or why there is none.', 4_096)),
  victims: Type.Optional(Type.Array(Type.String({ maxLength: 320 }), { maxItems: 100 })),
})

export const CONDITION = Type.Object({
  type: text('CamelCase name.', 316),
  status: Type.Enum(['True', 'False', 'Unknown']),
  reason: text('CamelCase reason, for programs.'),
  message: text('A sentence, for people.', 32_768),
  observedGeneration: Type.Integer({ description: 'Generation of the spec that was judged.' }),
  lastTransitionTime: time('When the status last changed.'),
})

export const DRILL_STATUS = Type.Object({
  observedGeneration: Type.Optional(Type.Integer({ description: 'Generation of the spec that was handled.' })),
  phase: Type.Optional(Type.Enum([...PHASES])),
  verdict: Type.Optional(Type.Enum([...VERDICTS])),
  reason: Type.Optional(text('CamelCase reason of the verdict or of the wait.', 128)),
  message: Type.Optional(text('A sentence about the verdict or the wait.', 4_096)),
  startedAt: Type.Optional(time('When the runner started.')),
  finishedAt: Type.Optional(time('When the verdict was known.')),
  job: Type.Optional(text('Job of the runner.', 253)),
  summary: Type.Optional(
    Type.Object({
      attempted: count('Items that were sent.'),
      acknowledged: count('Items that were acknowledged.'),
      indeterminate: count('Items without a certain outcome.'),
      rejected: count('Items that were certainly refused.'),
      lost: Type.Optional(count('Acknowledged items that are lost. Absent if unknown.')),
      duplicates: Type.Optional(count('Contents that are stored twice. Absent if unknown.')),
      redisLost: Type.Optional(count('Writes that Redis acknowledged and lost.')),
      doubleGrants: Type.Optional(count('Times at which Redis had granted a lock of the canary to two holders.')),
      secondsWithoutWrite: seconds('Longest time without an acknowledged write.'),
      firstGoodWrite: Type.Optional(seconds('From the first injection to the first acknowledged write, in seconds.')),
      bystanderErrors: Type.Optional(count('Failed requests of other clients.')),
    }),
  ),
  faults: Type.Optional(Type.Array(FAULT, { maxItems: 16 })),
  undo: Type.Optional(Type.Array(UNDO, { description: 'Faults that are to be undone.', maxItems: 64 })),
  report: Type.Optional(
    Type.Object({
      name: text('ConfigMap, file or address of the report.', 2_048),
      sha256: text('SHA-256 of the history, in hexadecimal.', 64),
    }),
  ),
  conditions: Type.Optional(
    Type.Array(CONDITION, {
      maxItems: 16,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
    }),
  ),
})

export type DrillStatus = Static<typeof DRILL_STATUS>
export type UndoStep = Static<typeof UNDO>
export type FaultStatus = Static<typeof FAULT>
export type Summary = NonNullable<DrillStatus['summary']>
