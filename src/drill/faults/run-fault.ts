/** A fault on an installation under load: between a steady state and the return to it, with when it struck and the proof. */

import { systemClock } from '../../std/clock.ts'
import type { RedisLoss } from '../checkers/canary.ts'
import type { Entry, Event } from '../history.ts'
import type { DrillWindow } from '../report/judge.ts'
import { type DrillContext, type Strike, type View, waitUntilHealthy } from './context.ts'

/** Steady before each fault, milliseconds. */
const BASELINE_MS = 6_000
/** Whole again, and watched for so long. */
const QUIET_MS = 5_000

export interface FaultCase {
  /** Unique in the run. */
  readonly name: string
  /** Undefined: it is skipped, as a control. */
  readonly inject: Strike | undefined
  /** Whether Redis may lose by it what it acknowledged, locks among it. */
  readonly redisLoss: RedisLoss
}

export interface FaultRun {
  readonly window: DrillWindow
  /** How it is known to have happened, or why it did not. */
  readonly proof: string
  readonly tookMs: number
}

/** What happened beside the load, in the load's form. */
export interface Nemesis {
  readonly events: readonly Event[]
  record(entry: Entry): Event
}

export function createNemesis(wallMs: () => number): Nemesis {
  const events: Event[] = []
  return {
    events,
    record(entry) {
      const nowMs = wallMs()
      const event = { seq: events.length + 1, tMono: nowMs, tWall: nowMs, ...entry }
      events.push(event)
      return event
    },
  }
}

/** Rejects only when it is interrupted, or when there is no steady state to begin with. */
export async function runFault(
  stage: DrillContext,
  plot: FaultCase,
  nemesis: Nemesis,
  signal: AbortSignal,
): Promise<FaultRun> {
  const { name, redisLoss } = plot
  const fromMs = Date.now()
  const before = await waitUntilHealthy(stage, signal)
  await systemClock.sleep(BASELINE_MS, signal)
  stage.say(`${name}: strikes`)
  const { struckMs, proof } = await strike(stage, plot, { before, nemesis, signal })
  const missing = await missingAfter(stage, signal)
  const healed = nemesis.record({ process: 'nemesis', op: `${name}.healed`, f: 'phase', type: 'info', key: 'healed' })
  const seconds = Math.round((healed.tMono - struckMs) / 1_000)
  stage.say(`${name}: ${proof}; ${missing ?? 'whole again'} after ${seconds} s`)
  await systemClock.sleep(QUIET_MS, signal)
  const untilMs = Date.now()
  const window = { name, fromMs, struckMs, untilMs, redisLoss, ...(missing === undefined ? {} : { missing }) }
  return { window, proof, tookMs: untilMs - fromMs }
}

interface InjectionContext {
  readonly before: View
  readonly nemesis: Nemesis
  readonly signal: AbortSignal
}

interface Injected {
  readonly struckMs: number
  /** How it is known to have happened, or why it did not. */
  readonly proof: string
}

/** A strike that fails is no fault that happened: it is noted as such, and the drill goes on to be inconclusive. */
async function strike(
  stage: DrillContext,
  plot: FaultCase,
  { before, nemesis, signal }: InjectionContext,
): Promise<Injected> {
  const { name, redisLoss } = plot
  const losesLocks = redisLoss === 'allow'
  const fault = { process: 'nemesis', op: `fault-${name}`, f: 'fault', key: name, losesLocks } as const
  let begun: Event | undefined
  const begin = (): Event => (begun ??= nemesis.record({ ...fault, type: 'invoke' }))
  try {
    if (plot.inject === undefined) throw new Error('it was left out')
    const proof = await plot.inject(stage, before, { signal, struck: () => void begin() })
    const { tMono } = begin()
    nemesis.record({ ...fault, type: 'ok', proof })
    return { struckMs: tMono, proof }
  } catch (thrown) {
    signal.throwIfAborted()
    const { tMono } = begin()
    const error = thrown instanceof Error ? thrown.message : String(thrown)
    nemesis.record({ ...fault, type: 'info', error })
    return { struckMs: tMono, proof: `did not come about: ${error}` }
  }
}

async function missingAfter(stage: DrillContext, signal: AbortSignal): Promise<string | undefined> {
  try {
    await waitUntilHealthy(stage, signal)
    return undefined
  } catch (failure) {
    signal.throwIfAborted()
    return failure instanceof Error ? failure.message : String(failure)
  }
}
