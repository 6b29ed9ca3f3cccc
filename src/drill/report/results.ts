/** Results of drills and controls. */
import type { Kind, Verdict } from '../checkers/verdict.ts'
import type { Control, FaultName, Setup } from '../plan.ts'
import { type CanaryFigures, floorOf, type Goal, goalsOf } from './goals.ts'
import type { Judged } from './judge.ts'
import type { Outage } from './outage.ts'

/** The result of a drill or a control. */
export interface CaseResult {
  readonly setup: Setup
  /** Name of the fault or of the control. */
  readonly name: string
  readonly isControl: boolean
  readonly verdict: Verdict
  readonly expected: Kind
  /** For a control: the check that must find a violation. */
  readonly breaks?: string
  readonly proof: string
  readonly outage: Outage
  readonly canary?: CanaryFigures
  readonly floorMs: number
  readonly goals: readonly Goal[]
  readonly tookMs: number
}

/** A setup that could not be judged. */
export interface Broken {
  readonly setup: string
  readonly why: string
}

/** Returns true if the verdict is the expected one and every goal but times is met. */
export function isPassed({ verdict, expected, breaks, goals }: CaseResult): boolean {
  if (verdict.kind !== expected) return false
  if (breaks !== undefined) return verdict.checks[breaks]?.kind === 'violated'
  return goals.every(({ met, isTime }) => met || isTime === true)
}

/** Returns why a case has not passed, one line per reason. */
export function failureReasons(result: CaseResult): readonly string[] {
  const { verdict, expected, breaks, goals, isControl, proof } = result
  const findings = Object.entries(verdict.checks).filter(([, { kind }]) => kind !== 'valid')
  const kind = verdict.kind === expected ? [] : [`the verdict is ${verdict.kind}, expected ${expected}`]
  const missingViolation =
    breaks === undefined || verdict.checks[breaks]?.kind === 'violated' ? [] : [`"${breaks}" was not violated`]
  const said = findings.map(
    ([name, { why, counterExamples }]) =>
      `${name}: ${[why, ...counterExamples.slice(0, 3).map(({ says }) => says)].filter((text) => text !== '').join('; ')}`,
  )
  const missed = goals
    .filter(({ met, isTime }) => !met && isTime !== true)
    .map(({ says, seen }) => `missed: ${says} (${seen})`)
  const reasons = [...kind, ...missingViolation, ...(isControl ? [] : [...said, ...missed])]
  return reasons.length === 0 ? [] : [...reasons, `the fault: ${proof}`]
}

function canaryOf({ checks }: Verdict): { readonly canary?: CanaryFigures } {
  const writesLost = checks['canary-writes']?.figures['lost']
  const overlappingGrants = checks['canary-grants']?.figures['overlapping']
  if (writesLost === undefined || overlappingGrants === undefined) return {}
  return { canary: { writesLost, overlappingGrants } }
}

interface Finished {
  readonly setup: Setup
  readonly judged: Judged
  readonly proof: string
  readonly tookMs: number
}

/** Returns the common part of the results of drills and controls. */
function frameOf({ setup: { mode, store, lock }, judged: { verdict, outage }, proof, tookMs }: Finished) {
  return { setup: { mode, store, lock }, verdict, outage, proof, tookMs }
}

interface Drill extends Finished {
  readonly fault: FaultName
  readonly referenceMs?: number
}

/** Returns the result of a drill, with its goals. */
export function drillResult({ fault, referenceMs, ...finished }: Drill): CaseResult {
  const frame = frameOf(finished)
  const { setup, verdict, outage } = frame
  const floorMs = floorOf(setup, fault)
  const canary = canaryOf(verdict)
  const reference = referenceMs === undefined ? {} : { referenceMs }
  const goals = goalsOf({ setup, fault, outage, floorMs, ...canary, ...reference })
  return { ...frame, name: fault, isControl: false, expected: 'valid', ...canary, floorMs, goals }
}

/** Returns the result of a negative control. */
export function controlResult({ control, ...finished }: Finished & { readonly control: Control }): CaseResult {
  const { name, expected, breaks } = control
  const promise = breaks === undefined ? {} : { breaks }
  return { ...frameOf(finished), name, isControl: true, expected, ...promise, floorMs: 0, goals: [] }
}
