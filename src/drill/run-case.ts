/** Runs one fault on a release under load: a steady state, the fault, and the recovery. */
import { reasonOf } from '../errors/error.ts'
import { systemClock } from '../std/clock.ts'
import { createRandom } from '../std/random.ts'
import type { RedisLoss } from './checkers/canary.ts'
import type { FaultInjection } from './faults/fault.ts'
import { runFaultUntilProven } from './faults/run-fault.ts'
import type { DrillWindow } from './report/judge.ts'
import { type Records, untilQuiet } from './runner/under-load.ts'
import { type DrillContext, waitUntilHealthy } from './targets/kubernetes/context.ts'

/** Steady state before each fault, in milliseconds. */
const BASELINE_MS = 6_000

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

/**
 * Resolves with the case. A fault that does not take effect is recorded, and the drill becomes inconclusive. Rejects
 * with the signal's reason, or if there is no steady state before the fault.
 */
export async function runCase(
  context: DrillContext,
  { name, fault, redisLoss }: FaultCase,
  { nemesis, load }: Records,
  signal: AbortSignal,
): Promise<CaseRun> {
  const fromMs = Date.now()
  await waitUntilHealthy(context, signal)
  await systemClock.sleep(BASELINE_MS, signal)
  context.say(`${name}: injecting`)
  const { began, isProven, says } = await runFaultUntilProven(
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

/** Resolves with the problems that remain long after the fault; undefined if the release is healthy. */
export async function missingAfter(context: DrillContext, signal: AbortSignal): Promise<string | undefined> {
  try {
    await waitUntilHealthy(context, signal)
    return undefined
  } catch (failure) {
    signal.throwIfAborted()
    return reasonOf(failure)
  }
}
