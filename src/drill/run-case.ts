/** Runs one fault on a release under load: a steady state, the fault, and the recovery. */
import { systemClock } from '../std/clock.ts'
import { createRandom } from '../std/random.ts'
import type { RedisLoss } from './checkers/canary.ts'
import type { FaultInjection } from './faults/fault.ts'
import { runFault } from './faults/run-fault.ts'
import type { Entry, Event } from './history.ts'
import type { DrillWindow } from './report/judge.ts'
import { type DrillContext, waitUntilHealthy } from './targets/kubernetes/context.ts'
import type { Load } from './targets/kubernetes/load.ts'

/** Steady state before each fault, in milliseconds. */
const BASELINE_MS = 6_000
/** Time without a failed write that ends a case, in milliseconds. */
const QUIET_MS = 5_000
/** Longest wait for that time after the release is healthy, in milliseconds. Writes that fail later are a finding. */
const SETTLING_MS = 60_000

/** A fault with its name in the run. */
export interface FaultCase {
  /** Unique in the run. */
  readonly name: string
  readonly fault: FaultInjection
  /** Whether Redis may lose acknowledged writes, and with them locks. */
  readonly redisLoss: RedisLoss
}

export interface CaseRun {
  readonly window: DrillWindow
  /** Evidence of the fault, or the reason why it did not take effect. */
  readonly proof: string
  readonly tookMs: number
}

/** The records of a load that a case adds to and reads. */
export interface CaseRecords {
  readonly nemesis: Nemesis
  readonly load: Pick<Load, 'failedWithin'>
}

/** Records faults and recoveries in the format of the load's history. */
export interface Nemesis {
  readonly events: readonly Event[]
  record(entry: Entry): Event
}

/** Returns a recorder. `wallMs` returns milliseconds since the Unix epoch. */
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

/**
 * Resolves with the case. A fault that does not take effect is recorded, and the drill becomes inconclusive. Rejects
 * with the signal's reason, or if there is no steady state before the fault.
 */
export async function runCase(
  context: DrillContext,
  { name, fault, redisLoss }: FaultCase,
  { nemesis, load }: CaseRecords,
  signal: AbortSignal,
): Promise<CaseRun> {
  const fromMs = Date.now()
  await waitUntilHealthy(context, signal)
  await systemClock.sleep(BASELINE_MS, signal)
  context.say(`${name}: injecting`)
  const { began, isProven, says } = await runFault(
    { ...fault, name, losesLocks: redisLoss === 'allow' },
    {
      op: `fault-${name}`,
      // faults on a cluster make no random choices
      random: createRandom(0),
      clock: systemClock,
      record: (entry) => nemesis.record(entry),
      signal,
    },
  )
  const proof = isProven ? says : `did not take effect: ${says}`
  const missing = await missingAfter(context, signal)
  const healed = nemesis.record({ process: 'nemesis', op: `${name}.healed`, f: 'phase', type: 'info', key: 'healed' })
  const seconds = Math.round((healed.tMono - began.tMono) / 1_000)
  context.say(`${name}: ${proof}; ${missing ?? 'healthy'} after ${seconds} s`)
  await untilQuiet(load, signal)
  const untilMs = Date.now()
  const times = { fromMs, injectedMs: began.tMono, untilMs }
  const window = { name, ...times, redisLoss, ...(missing === undefined ? {} : { missing }) }
  return { window, proof, tookMs: untilMs - fromMs }
}

/**
 * Waits until no write has failed for some seconds. A healthy release may still refuse writes, for example while a
 * circuit breaker is open, and these belong to the fault before and not to the next one.
 */
async function untilQuiet(load: Pick<Load, 'failedWithin'>, signal: AbortSignal): Promise<void> {
  const endMs = Date.now() + SETTLING_MS
  await systemClock.sleep(QUIET_MS, signal)
  while ((await load.failedWithin(QUIET_MS, signal)) && Date.now() < endMs) await systemClock.sleep(1_000, signal)
}

/** Resolves with the problems that remain long after the fault; undefined if the release is healthy. */
async function missingAfter(context: DrillContext, signal: AbortSignal): Promise<string | undefined> {
  try {
    await waitUntilHealthy(context, signal)
    return undefined
  } catch (failure) {
    signal.throwIfAborted()
    return failure instanceof Error ? failure.message : String(failure)
  }
}
