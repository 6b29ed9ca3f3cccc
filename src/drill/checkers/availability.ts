/**
 * Availability for the clients of an open load: time without an acknowledged write, failures by class, and latency
 * before, during and after the faults. These are figures and not a promise, so the check is never violated. Requests
 * that settle unknown outcomes do not count.
 */
import type { Event } from '../history.ts'
import { type Operation, operationsOf, phasesOf } from './operations.ts'
import { byFailure, type Edges, endMs, greatest, least, longestGapMs } from './responses.ts'
import { type Finding, findingOf, inconclusive } from './verdict.ts'

const SECOND_MS = 1_000

/** Measures availability from the first save to the last response. A save without a response ends at its invocation. */
export function availability(history: readonly Event[]): Finding {
  const saves = operationsOf(history, 'save').filter(isLoad)
  if (saves.length === 0) return inconclusive('the load sent nothing')
  const goodMs = saves.filter(({ outcome }) => outcome === 'ok').map(endOf)
  const load = { fromMs: least(saves.map(({ invoke }) => invoke.tMono)), untilMs: greatest(saves.map(endOf)) }
  return findingOf([], {
    sent: saves.length,
    failed: saves.length - goodMs.length,
    secondsWithoutGood: secondsWithoutWrites(goodMs, load),
    longestGapMs: Math.round(longestGapMs(goodMs, load)),
    ...failures(saves),
    ...latencies(history, saves),
  })
}

/**
 * Excludes saves that the recorder added for a truncated run, which may never have been sent, and retries that settle
 * outcomes.
 */
function isLoad({ invoke }: Operation): boolean {
  return !/^(settle|unknown)/.test(invoke.process)
}

const endOf = (operation: Operation): number => endMs(operation, operation.invoke.tMono)

/** Returns the full seconds of the load in which no save was acknowledged. */
function secondsWithoutWrites(goodMs: readonly number[], { fromMs, untilMs }: Edges): number {
  const acknowledgedSeconds = new Set(goodMs.map((ms) => Math.floor((ms - fromMs) / SECOND_MS)))
  const seconds = Math.floor((untilMs - fromMs) / SECOND_MS)
  return Array.from({ length: seconds }, (_, second) => second).filter((second) => !acknowledgedSeconds.has(second))
    .length
}

/** Counts failures, and the seconds that contain one, by error class. */
function failures(saves: readonly Operation[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...byFailure(saves)].flatMap(([name, operations]) => [
      [`failed by ${name}`, operations.length],
      [`seconds with ${name}`, new Set(operations.map((op) => Math.floor(endOf(op) / SECOND_MS))).size],
    ]),
  )
}

type Phase = 'baseline' | 'fault' | 'recovery'

/** Returns the phase of an operation: before the first fault, until the recovery, or after it. */
function latencies(history: readonly Event[], saves: readonly Operation[]): Readonly<Record<string, number>> {
  const firstFault = history.find(({ f, type }) => f === 'fault' && type === 'invoke')?.seq ?? Number.POSITIVE_INFINITY
  const healed = phasesOf(history, 'healed').at(-1)?.seq ?? Number.POSITIVE_INFINITY
  const phaseOf = ({ invoke }: Operation): Phase => {
    if (invoke.seq < firstFault) return 'baseline'
    return invoke.seq < healed ? 'fault' : 'recovery'
  }
  const phases = Map.groupBy(saves, phaseOf)
  return Object.fromEntries([...phases].flatMap(([phase, operations]) => percentiles(phase, operations)))
}

function percentiles(phase: Phase, operations: readonly Operation[]): readonly (readonly [string, number])[] {
  const times = operations.map((op) => endOf(op) - op.invoke.tMono).toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(times[Math.ceil(share * times.length) - 1] ?? 0)
  return [
    [`${phase} p50 ms`, at(0.5)],
    [`${phase} p99 ms`, at(0.99)],
  ]
}
