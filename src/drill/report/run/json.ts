/** The report of a drill as JSON: its schema, its text, and the parser of that text. Pure. */
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { IngotError, reasonOf } from '../../../errors/error.ts'
import { DRILL_STATUS, VERDICTS } from '../../spec/status.ts'
import type { DrillReport } from '../model.ts'

const { summary: SUMMARY, faults: FAULTS } = DRILL_STATUS.properties

const text = () => Type.String()
const ms = () => Type.Number({ minimum: 0 })
const count = () => Type.Integer({ minimum: 0 })
const numbers = () => Type.Array(Type.Number({ minimum: 0 }))
const time = () => Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}' })

/** Members that this version does not know are accepted, so an older plugin reads newer reports of the same format. */
const DRILL_REPORT = Type.Object({
  format: Type.Literal(1),
  drill: Type.Object({
    name: text(),
    namespace: text(),
    release: text(),
    scenario: Type.Optional(text()),
    title: text(),
    startedBy: text(),
    startedAt: time(),
    finishedAt: time(),
    version: text(),
  }),
  target: Type.Object({
    mode: text(),
    store: text(),
    lock: text(),
    images: Type.Array(Type.Object({ component: text(), image: text(), digest: text() })),
  }),
  verdict: Type.Enum([...VERDICTS]),
  reason: text(),
  message: text(),
  summary: Type.Object(SUMMARY.properties),
  criteria: Type.Array(
    Type.Object({
      name: text(),
      wanted: text(),
      seen: text(),
      met: Type.Boolean(),
      advice: Type.Optional(text()),
    }),
  ),
  checks: Type.Array(
    Type.Object({
      name: text(),
      kind: Type.Enum(['valid', 'violated', 'inconclusive']),
      why: text(),
      examples: Type.Array(text()),
      figures: Type.Record(Type.String(), Type.Number()),
    }),
  ),
  faults: Type.Array(FAULTS.items),
  roles: Type.Array(Type.Object({ atMs: ms(), primaries: Type.Array(text()) })),
  marks: Type.Array(Type.Object({ atMs: ms(), says: text() })),
  series: Type.Object({
    fromMs: ms(),
    acknowledged: numbers(),
    failed: numbers(),
    p50Ms: numbers(),
    p99Ms: numbers(),
  }),
  errors: Type.Array(Type.Object({ name: text(), count: count(), lastMs: ms() })),
  history: Type.Object({ events: count(), sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
  previous: Type.Optional(
    Type.Object({
      name: text(),
      finishedAt: time(),
      verdict: Type.Enum([...VERDICTS]),
      summary: Type.Object(SUMMARY.properties),
    }),
  ),
})

const CHECKED = Compile(DRILL_REPORT)

/** Returns the JSON text of a report, with a line feed at its end. */
export function jsonOfReport(report: DrillReport): string {
  return `${JSON.stringify(report, null, 1)}\n`
}

/** Parses the JSON text of a report. Throws IngotError INPUT_UNREADABLE that names the first wrong member. */
export function parseReport(json: string, name = 'report'): DrillReport {
  const value = parseJson(json, name)
  if (!CHECKED.Check(value)) {
    const [first] = CHECKED.Errors(value)
    const member = first?.instancePath === '' ? 'the whole' : (first?.instancePath ?? '')
    throw unreadable(`"${name}" is no report of a drill: ${member} ${first?.message ?? 'is wrong'}`)
  }
  const { acknowledged, failed, p50Ms, p99Ms } = value.series
  for (const [column, values] of Object.entries({ failed, p50Ms, p99Ms })) {
    if (values.length === acknowledged.length) continue
    const lengths = `${values.length} values, and /series/acknowledged has ${acknowledged.length}`
    throw unreadable(`"${name}" is no report of a drill: /series/${column} has ${lengths}`)
  }
  return value
}

function parseJson(json: string, name: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw unreadable(`"${name}" is not JSON: ${reasonOf(cause)}`)
  }
}

function unreadable(message: string): IngotError {
  return new IngotError('INPUT_UNREADABLE', message)
}
