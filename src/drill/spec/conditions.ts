/**
 * Builds the status of a drill from facts, so that no two fields of it contradict each other. Pure. The runner and the
 * operator write nothing else.
 */
import { type Condition, type Observation, secondsOf, withConditions } from '../../kube/runtime/conditions.ts'
import type { DrillStatus, DrillVerdict, Phase } from './status.ts'

/** What is known about a drill. `drillStatus` derives the rest. */
export type DrillFacts = Omit<DrillStatus, 'conditions' | 'observedGeneration'>

export interface StatusMoment {
  /** Generation of the spec that was handled. */
  readonly generation: number
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: number
}

/** Limits of the schema. */
const MAX_REASON = 128
const MAX_MESSAGE = 4_096

/**
 * Returns the status. A verdict finishes the drill, and a finished drill has a verdict. Only a drill whose faults are all
 * proven and undone can pass; a drill that finishes with steps left to undo has the reason UndoFailed. `before` are the
 * conditions of the last status, for their transition times.
 */
export function drillStatus(facts: DrillFacts, before: readonly Condition[], at: StatusMoment): DrillStatus {
  const settled = settle(facts, at)
  return {
    ...settled,
    observedGeneration: at.generation,
    conditions: [...withConditions(before, observations(settled, at.generation), at.wallMs)],
  }
}

type Settled = DrillFacts & { readonly phase: Phase }

function settle(facts: DrillFacts, { wallMs }: StatusMoment): Settled {
  const { verdict, phase = 'Pending', finishedAt, reason: _reason, message: _message, ...others } = facts
  const rest = { ...others, ...textsOf(facts) }
  if (verdict === undefined && phase !== 'Finished') return { ...rest, phase }
  const ended = { ...rest, phase: 'Finished' as const, finishedAt: finishedAt ?? secondsOf(wallMs) }
  return { ...ended, ...ending(ended, verdict) }
}

type Ending = Required<Pick<DrillFacts, 'verdict' | 'reason' | 'message'>>

function ending(facts: DrillFacts, verdict: DrillVerdict | undefined): Ending {
  const { reason = verdict ?? 'NoVerdict', message = 'the drill ended without a sentence about it' } = facts
  const given: Ending = { verdict: verdict ?? 'Inconclusive', reason, message }
  return withUndo(given, facts) ?? withoutProof(given, facts) ?? withOwnReason(given)
}

/** Returns the ending of a drill with steps left to undo. It cannot pass. */
function withUndo({ verdict, reason, message }: Ending, { undo = [] }: DrillFacts): Ending | undefined {
  if (undo.length === 0) return undefined
  const left = undo.map(({ kind, fault }) => `${kind} of the fault ${fault}`).join(', ')
  const says = reason === 'UndoFailed' ? message : `these steps are left to undo: ${left}`
  const kept = verdict === 'Pass' ? 'Inconclusive' : verdict
  return { verdict: kept, reason: 'UndoFailed', message: says.slice(0, MAX_MESSAGE) }
}

/** Returns the ending of a drill that would pass without a fault, or with one that is not proven. */
function withoutProof({ verdict }: Ending, { faults = [] }: DrillFacts): Ending | undefined {
  if (verdict !== 'Pass') return undefined
  const doubtful = faults.find(({ state }) => state !== 'Proven')
  if (faults.length > 0 && doubtful === undefined) return undefined
  const why = doubtful === undefined ? 'no fault was injected' : `the fault ${doubtful.name} was not proven`
  return { verdict: 'Inconclusive', reason: 'FaultUnproven', message: why }
}

/** The reason UndoFailed is only for drills with steps left. */
function withOwnReason(given: Ending): Ending {
  return given.reason === 'UndoFailed' ? { ...given, reason: given.verdict } : given
}

function textsOf({ reason, message }: DrillFacts): Pick<DrillFacts, 'reason' | 'message'> {
  return {
    ...(reason === undefined || reason === '' ? {} : { reason: reason.slice(0, MAX_REASON) }),
    ...(message === undefined || message === '' ? {} : { message: message.slice(0, MAX_MESSAGE) }),
  }
}

/** The state of one condition. */
type Judgement = Pick<Observation, 'status' | 'reason' | 'message'>

const yes = (reason: string, message: string): Judgement => ({ status: 'True', reason, message })
const no = (reason: string, message: string): Judgement => ({ status: 'False', reason, message })
const unknown = (message: string): Judgement => ({ status: 'Unknown', reason: 'NotYet', message })

const JUDGES: Readonly<Record<string, (facts: Settled) => Judgement>> = {
  Accepted: accepted,
  Steady: steady,
  Struck: struck,
  Recovered: recovered,
  Judged: judged,
  Finished: finished,
  Passed: passed,
}

function observations(facts: Settled, observedGeneration: number): readonly Observation[] {
  return Object.entries(JUDGES).map(([type, judge]) => ({ type, ...judge(facts), observedGeneration }))
}

/** Returns the reason and the sentence of the status, for conditions that follow from them. */
function because({ reason = 'Waiting', message = 'the drill waits' }: Settled): readonly [string, string] {
  return [reason, message]
}

function accepted(facts: Settled): Judgement {
  const { phase, job, startedAt } = facts
  const isStarted = job !== undefined || startedAt !== undefined
  if (isStarted || (phase !== 'Pending' && phase !== 'Finished')) return yes('Accepted', 'the drill was admitted')
  return no(...because(facts))
}

const BEFORE_FAULTS: readonly Phase[] = ['Pending', 'Gate', 'Load']

function hasStruck({ faults = [] }: Settled): boolean {
  return faults.some(({ struckAt, state }) => struckAt !== undefined || state === 'Injected' || state === 'Proven')
}

function steady(facts: Settled): Judgement {
  if (hasStruck(facts)) return yes('Steady', 'the release was healthy before the first fault')
  if (BEFORE_FAULTS.includes(facts.phase)) return unknown('the release is not yet known to be healthy')
  if (facts.phase !== 'Finished') return yes('Steady', 'the release was healthy before the first fault')
  return no(...because(facts))
}

function struck(facts: Settled): Judgement {
  const { faults = [], phase } = facts
  const failed = faults.find(({ state }) => state === 'Unproven' || state === 'Refused')
  if (failed !== undefined) return no(failed.state, `the fault ${failed.name}: ${failed.proof ?? 'no evidence'}`)
  const proven = faults.filter(({ state }) => state === 'Proven').length
  if (faults.length > 0 && proven === faults.length) return yes('Proven', 'every fault had its effect')
  if (phase !== 'Finished') return unknown(`${proven} of ${faults.length} faults are proven`)
  return no('NotInjected', `${proven} of ${faults.length} faults are proven`)
}

function recovered(facts: Settled): Judgement {
  const { phase, verdict, undo = [], reason, message = 'steps are left to undo' } = facts
  if (phase === 'Judging') return yes('Recovered', 'the release is healthy, and every fault is undone')
  if (phase !== 'Finished') return unknown('the faults are not yet over')
  if (undo.length > 0) return no('UndoFailed', message)
  if (reason === 'NotRecovered' && verdict !== 'Pass') return no(reason, message)
  if (verdict === 'Pass' || verdict === 'Fail') return yes('Recovered', 'every fault is undone')
  return {
    status: 'Unknown',
    reason: 'Undone',
    message: 'every fault is undone; the health of the release was not judged',
  }
}

function judged(facts: Settled): Judgement {
  const { verdict } = facts
  if (verdict === undefined) return unknown('there is no verdict yet')
  if (verdict === 'Pass' || verdict === 'Fail') return yes(verdict, because(facts)[1])
  return no(...because(facts))
}

function finished({ phase, verdict }: Settled): Judgement {
  if (phase !== 'Finished') return no('Running', `the phase is ${phase}`)
  return yes(verdict ?? 'Inconclusive', 'the drill has ended')
}

function passed(facts: Settled): Judgement {
  const { verdict } = facts
  if (verdict === undefined) return unknown('there is no verdict yet')
  if (verdict === 'Pass') return yes('Pass', because(facts)[1])
  return no(verdict, because(facts)[1])
}
