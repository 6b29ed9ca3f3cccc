/** Runs the checks of `doctor`. Pure. */
import type { Facts } from '../facts.ts'
import { CERTIFICATE_CHECKS } from './certificates.ts'
import { type Check, type Finding, missingFor, type NotChecked } from './check.ts'
import { OPERATOR_CHECKS } from './operator.ts'
import { PLACEMENT_CHECKS } from './placement.ts'
import { POD_CHECKS } from './pods.ts'
import { ROLE_CHECKS } from './roles.ts'
import { SECRET_CHECKS } from './secrets.ts'
import { SENTINEL_CHECKS } from './sentinels.ts'
import { SETTING_CHECKS } from './settings.ts'
import { STORAGE_CHECKS } from './storage.ts'

export const CHECKS: readonly Check[] = [
  ...ROLE_CHECKS,
  ...SENTINEL_CHECKS,
  ...SETTING_CHECKS,
  ...SECRET_CHECKS,
  ...CERTIFICATE_CHECKS,
  ...STORAGE_CHECKS,
  ...POD_CHECKS,
  ...PLACEMENT_CHECKS,
  ...OPERATOR_CHECKS,
]

/** The report of `doctor`, as `-o json` prints it. */
export interface Diagnosis {
  readonly kind: 'IngotDiagnosis'
  readonly version: 1
  readonly namespace: string
  readonly release: string
  /** RFC 3339. */
  readonly at: string
  /** Number of checks that ran. */
  readonly checked: number
  /** Errors first. */
  readonly findings: readonly Finding[]
  /** Checks that say nothing, because what they need could not be read. */
  readonly notChecked: readonly NotChecked[]
}

export function diagnose(facts: Facts, checks: readonly Check[] = CHECKS): Diagnosis {
  const missing = checks.map((check) => ({ check, why: missingFor(check, facts) }))
  const findings = missing.flatMap(({ check, why }) => (why === undefined ? findingsOf(check, facts) : []))
  const notChecked = missing.flatMap(({ check: { code }, why }) => (why === undefined ? [] : [{ code, why }]))
  return {
    kind: 'IngotDiagnosis',
    version: 1,
    namespace: facts.namespace,
    release: facts.release,
    at: new Date(facts.nowMs).toISOString(),
    checked: checks.length - notChecked.length,
    findings: findings.toSorted((a, b) => a.severity.localeCompare(b.severity)),
    notChecked,
  }
}

function findingsOf(check: Check, facts: Facts): readonly Finding[] {
  const { code, severity, remedy } = check
  return check.find(facts).map(({ subject, seen }) => ({ code, severity, subject, seen, remedy }))
}
