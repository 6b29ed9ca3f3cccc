/** `FailoverDrill`: one drill of a release, with its verdict. */
import { Type } from 'typebox'
import { FAILOVER_DRILLS } from '../../drill/spec/kinds.ts'
import { rules } from '../../drill/spec/parts.ts'
import { DRILL_RULES, DRILL_SPEC } from '../../drill/spec/schema.ts'
import { DRILL_STATUS } from '../../drill/spec/status.ts'
import type { CustomKind } from '../../kube/crd/definition.ts'

/** Fields of the spec that may change. */
const MUTABLE = ['cancel']

/** A field is the same when it is absent from both, or equal in both. */
function isSame(field: string): string {
  return `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`
}

const TRANSITIONS = [
  {
    rule: Object.keys(DRILL_SPEC.properties)
      .filter((field) => !MUTABLE.includes(field))
      .map(isSame)
      .join(' && '),
    message: 'a drill keeps its spec, only cancel may be set; create another FailoverDrill',
  },
  {
    rule: '!(has(oldSelf.cancel) && oldSelf.cancel) || (has(self.cancel) && self.cancel)',
    message: 'a cancelled drill stays cancelled; create another FailoverDrill',
  },
]

export const FAILOVER_DRILL_SPEC = Type.Object(DRILL_SPEC.properties, rules(...DRILL_RULES, ...TRANSITIONS))

export const FAILOVER_DRILL: CustomKind = {
  resource: FAILOVER_DRILLS,
  singular: 'failoverdrill',
  shortNames: ['drill'],
  categories: ['ingot'],
  description: 'One drill: load, faults that are proven, and a verdict on every item.',
  spec: FAILOVER_DRILL_SPEC,
  status: DRILL_STATUS,
  columns: [
    { name: 'Release', type: 'string', jsonPath: '.spec.target.release' },
    { name: 'Scenario', type: 'string', jsonPath: '.spec.scenario' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'Verdict', type: 'string', jsonPath: '.status.verdict' },
    { name: 'Reason', type: 'string', jsonPath: '.status.reason' },
    { name: 'Lost', type: 'integer', jsonPath: '.status.summary.lost' },
    { name: 'Acknowledged', type: 'integer', jsonPath: '.status.summary.acknowledged', priority: 1 },
    { name: 'Report', type: 'string', jsonPath: '.status.report.name', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
}
