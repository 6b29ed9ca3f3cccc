/** Derives the verdict of a drill from its findings. Pure. */

import { operationsOf } from '../checkers/operations.ts'
import type { Finding, Verdict } from '../checkers/verdict.ts'
import type { Event } from '../history.ts'
import type { CriterionResult } from '../report/model.ts'
import type { Outage } from '../report/outage.ts'
import type { DrillVerdict, FaultStatus, Summary } from '../spec/status.ts'
import { type Criterion, violations } from './criteria.ts'

export interface Findings {
  /** Absent if the drill ended before there was a record. */
  readonly verdict?: Verdict
  readonly criteria: readonly Criterion[]
  readonly faults: readonly FaultStatus[]
  /** Why the drill was aborted. */
  readonly aborted?: { readonly reason: string; readonly message: string }
  /** Why the drill could not be carried out or judged. */
  readonly obstacle?: { readonly reason: string; readonly message: string }
}

export interface Decision {
  readonly verdict: DrillVerdict
  /** CamelCase. */
  readonly reason: string
  readonly message: string
}

/** Checks whose violations a criterion counts, or that are figures only. */
const BY_CRITERION: ReadonlySet<string> = new Set(['nothing-lost', 'stored-once', 'canary-writes'])

/** Criteria about data and roles. A load that an abort cuts short can miss the others, which are about time and failures. */
const SAFETY: ReadonlySet<string> = new Set(['lostItems', 'duplicates', 'redisLoss', 'onePrimary'])
/** Checks that a load that an abort cuts short can violate, because they are about time. */
const TIMELY: ReadonlySet<string> = new Set(['recovery', 'availability', 'whole-again'])

/**
 * A violation is a failure even if the record has gaps. Then an abort decides, and then every gap: a fault without proof, an
 * incomplete record, a criterion that could not be judged.
 */
export function decide({ verdict, criteria, faults, aborted, obstacle }: Findings): Decision {
  const missed = criteria
    .filter((one): one is CriterionResult => 'met' in one && !one.met)
    .filter(({ name }) => aborted === undefined || SAFETY.has(name))
  const violated = checksOf(verdict, 'violated')
    .filter(([name]) => !BY_CRITERION.has(name))
    .filter(([name]) => aborted === undefined || !TIMELY.has(name))
  if (missed.length + violated.length > 0) return failed(missed, violated)
  if (aborted !== undefined) return { verdict: 'Aborted', ...aborted }
  if (obstacle !== undefined) return { verdict: 'Inconclusive', ...obstacle }
  const gap = gapOf(verdict, criteria, faults)
  if (gap !== undefined) return { verdict: 'Inconclusive', ...gap }
  return { verdict: 'Pass', reason: 'AllCriteriaMet', message: `all ${criteria.length} criteria were met` }
}

type Check = readonly [string, Finding]

function checksOf(verdict: Verdict | undefined, kind: Finding['kind']): readonly Check[] {
  return Object.entries(verdict?.checks ?? {}).filter(([, finding]) => finding.kind === kind)
}

function failed(missed: readonly CriterionResult[], violated: readonly Check[]): Decision {
  const says = [
    ...missed.map(({ name, wanted, seen }) => `${name}: ${seen} (wanted: ${wanted})`),
    ...violated.map(([name, { counterExamples }]) => `${name}: ${counterExamples[0]?.says ?? 'violated'}`),
  ]
  const isLoss = missed.some(({ name }) => name === 'lostItems' || name === 'duplicates')
  return { verdict: 'Fail', reason: isLoss ? 'DataViolated' : 'CriteriaMissed', message: says.join('; ') }
}

function gapOf(
  verdict: Verdict | undefined,
  criteria: readonly Criterion[],
  faults: readonly FaultStatus[],
): Omit<Decision, 'verdict'> | undefined {
  const refused = faults.filter(({ state }) => state === 'Refused')
  const unproven = faults.filter(({ state }) => state !== 'Proven')
  if (refused.length > 0) return { reason: 'FaultRefused', message: faultsText(refused) }
  if (unproven.length > 0) return { reason: 'FaultUnproven', message: faultsText(unproven) }
  if (verdict === undefined) return { reason: 'NoRecord', message: 'there is no record of the load' }
  const unsure = checksOf(verdict, 'inconclusive')
  if (unsure.length > 0) {
    return { reason: 'RecordIncomplete', message: unsure.map(([name, { why }]) => `${name}: ${why}`).join('; ') }
  }
  const unknown = criteria.filter((one) => 'unknown' in one)
  if (unknown.length === 0) return undefined
  return { reason: 'CriterionUnknown', message: unknown.map((one) => `${one.name}: ${one.unknown}`).join('; ') }
}

function faultsText(list: readonly FaultStatus[]): string {
  return list.map(({ name, proof = 'it did not happen' }) => `${name}: ${proof}`).join('; ')
}

/** Returns the figures of a drill. */
export function summaryOf(load: readonly Event[], verdict: Verdict, outage: Outage): Summary {
  const saves = operationsOf(load, 'save').filter(({ invoke }) => !/^(settle|unknown)/.test(invoke.process))
  const count = (outcome: string): number => saves.filter((one) => one.outcome === outcome).length
  const lost = violations(verdict.checks['nothing-lost'])
  const duplicates = violations(verdict.checks['stored-once'])
  const redisLost = verdict.checks['canary-writes']?.figures['lost']
  const doubleGrants = verdict.checks['canary-grants']?.figures['overlapping']
  return {
    attempted: saves.length,
    acknowledged: count('ok'),
    indeterminate: count('info'),
    rejected: count('fail'),
    ...(lost === undefined ? {} : { lost }),
    ...(duplicates === undefined ? {} : { duplicates }),
    ...(redisLost === undefined ? {} : { redisLost }),
    ...(doubleGrants === undefined ? {} : { doubleGrants }),
    secondsWithoutWrite: rounded(outage.withoutGoodMs),
    ...(outage.firstGoodMs === undefined ? {} : { firstGoodWrite: rounded(outage.firstGoodMs) }),
  }
}

const rounded = (ms: number): number => Math.round(Math.max(0, ms) / 100) / 10
