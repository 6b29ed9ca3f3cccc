/** One installation under one load: faults one after the other, each between a steady state and its return. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisLoss } from '../../drill/check/canary.ts'
import type { Entry, Event } from '../../drill/history.ts'
import type { Strike } from './fault.ts'
import type { DrillWindow } from './judge.ts'
import { type Stage, type View, whole } from './stage.ts'

/** Steady before each fault, milliseconds. */
const BASELINE_MS = 6_000
/** Whole again, and watched for so long. */
const QUIET_MS = 5_000

export interface Plot {
  /** Unique in the run. */
  readonly name: string
  /** Undefined: it is skipped, as a control. */
  readonly strike: Strike | undefined
  /** Whether Redis may lose by it what it acknowledged, locks among it. */
  readonly redisLoss: RedisLoss
}

export interface Enacted {
  readonly window: DrillWindow
  /** How it is known to have happened, or why it did not. */
  readonly proof: string
  readonly tookMs: number
}

/** What happened beside the load, in the load's form. */
export interface Nemesis {
  readonly events: readonly Event[]
  record(entry: Entry): void
}

export function createNemesis(wallMs: () => number): Nemesis {
  const events: Event[] = []
  return {
    events,
    record: (entry) => void events.push({ seq: events.length + 1, tMono: wallMs(), tWall: wallMs(), ...entry }),
  }
}

/** Rejects only when it is interrupted, or when there is no steady state to begin with. */
export async function enact(stage: Stage, plot: Plot, nemesis: Nemesis, signal: AbortSignal): Promise<Enacted> {
  const { name } = plot
  const fromMs = Date.now()
  const before = await whole(stage, signal)
  await sleep(BASELINE_MS, undefined, { signal })
  stage.say(`${name}: strikes`)
  let struckMs = 0
  const struck = (): void => {
    struckMs = Date.now()
    nemesis.record({ ...faultOf(plot), type: 'invoke' })
  }
  const proof = await strike(stage, plot, { before, struck, signal }, nemesis)
  const missing = await missingAfter(stage, signal)
  nemesis.record({ process: 'nemesis', op: `${name}.healed`, f: 'phase', type: 'info', key: 'healed' })
  const seconds = Math.round((Date.now() - struckMs) / 1_000)
  stage.say(`${name}: ${proof}; ${missing ?? 'whole again'} after ${seconds} s`)
  await sleep(QUIET_MS, undefined, { signal })
  const untilMs = Date.now()
  const window = {
    name,
    fromMs,
    struckMs,
    untilMs,
    redisLoss: plot.redisLoss,
    ...(missing === undefined ? {} : { missing }),
  }
  return { window, proof, tookMs: untilMs - fromMs }
}

async function missingAfter(stage: Stage, signal: AbortSignal): Promise<string | undefined> {
  try {
    await whole(stage, signal)
    return undefined
  } catch (failure) {
    signal.throwIfAborted()
    return failure instanceof Error ? failure.message : String(failure)
  }
}

function faultOf({ name, redisLoss }: Plot): Omit<Entry, 'type'> {
  const losesLocks = redisLoss === 'allow'
  return { process: 'nemesis', op: `fault-${name}`, f: 'fault', key: name, losesLocks }
}

interface Act {
  readonly before: View
  readonly struck: () => void
  readonly signal: AbortSignal
}

/** A strike that fails is no fault that happened: it is noted as such, and the drill goes on to be inconclusive. */
async function strike(stage: Stage, plot: Plot, { before, struck, signal }: Act, nemesis: Nemesis): Promise<string> {
  let begun = false
  const begin = (): void => {
    begun = true
    struck()
  }
  try {
    if (plot.strike === undefined) throw new Error('it was left out')
    const proof = await plot.strike(stage, before, { signal, struck: begin })
    nemesis.record({ ...faultOf(plot), type: 'ok', proof })
    return proof
  } catch (thrown) {
    signal.throwIfAborted()
    if (!begun) struck()
    const error = thrown instanceof Error ? thrown.message : String(thrown)
    nemesis.record({ ...faultOf(plot), type: 'info', error })
    return `did not come about: ${error}`
  }
}
