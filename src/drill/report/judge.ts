/** Derives the verdict on each drill from the records. Pure. */

import { checkersOf } from '../checkers/all.ts'
import type { RedisLoss } from '../checkers/canary.ts'
import type { FinalStore } from '../checkers/final-store.ts'
import { nothingLost } from '../checkers/items.ts'
import { type Checker, type Finding, findingOf, inconclusive, judge, type Verdict } from '../checkers/verdict.ts'
import type { Event } from '../history.ts'
import { inOrder } from '../merge.ts'
import { type Outage, outageOf } from './outage.ts'
import { cut, type Window } from './split-history.ts'

/** The window of one drill. */
export interface DrillWindow extends Window {
  /** Beginning of the injection, in milliseconds. */
  readonly injectedMs: number
  /** Whether Redis may lose acknowledged writes. A forced kill may lose some, a handover must not. */
  readonly redisLoss: RedisLoss
  /** Longest time from the end of a fault to the first acknowledged write, in milliseconds. Default: 10 s. */
  readonly recoveryMs?: number
  /** Problems long after the fault. Absent if the release recovered. */
  readonly missing?: string
}

/** All records at the end of a load. */
export interface DrillRecord {
  /** Requests and responses of the load. */
  readonly load: readonly Event[]
  /** Faults and recoveries. */
  readonly nemesis: readonly Event[]
  /** Events of the canary; empty if there is none. */
  readonly canary: readonly Event[]
  /** Requests and responses of the settling, in which all items are sent again. */
  readonly settle: readonly Event[]
  /** Content of the store after the load, and after the settling. */
  readonly before: FinalStore
  readonly after: FinalStore
}

/** The verdict on one drill, with its part of the history. */
export interface Judged {
  readonly window: DrillWindow
  readonly verdict: Verdict
  readonly outage: Outage
  readonly events: readonly Event[]
}

/** Longest time from the end of a fault to the first acknowledged write, in milliseconds. */
const RECOVERY_MS = 10_000
/** Minimum number of acknowledged writes in the steady state before a fault. */
const LEAST_WRITES = 20

/** Returns a function that judges one of the windows. */
export function createJudge(record: DrillRecord, windows: readonly DrillWindow[]): (window: DrillWindow) => Judged {
  const history = inOrder([...record.load, ...record.nemesis, ...record.canary, ...record.settle])
  const finished = cut(history, record.after, windows)
  const unsettled = cut(inOrder([...record.load, ...record.nemesis]), record.before, windows)
  return (window) => {
    const { events, store } = finished(window)
    const early = unsettled(window)
    const outage = outageOf(record.load, window)
    const checkers: Readonly<Record<string, Checker>> = {
      ...checkersOf({
        recoveryMs: window.recoveryMs ?? RECOVERY_MS,
        locks: false,
        load: true,
        canary: record.canary.length > 0,
        redisLoss: window.redisLoss,
      }),
      // an item that was lost must not be restored by sending it again
      'nothing-lost': () => nothingLost(early.events, early.store),
      'steady-before': () => steady(outage),
      'whole-again': () => recovered(window),
    }
    return { window, outage, events, verdict: judge(checkers, events, store) }
  }
}

function steady({ writesBefore, failedBefore }: Outage): Finding {
  const figures = { writesBefore, failedBefore }
  if (writesBefore < LEAST_WRITES) return inconclusive(`only ${writesBefore} writes before the fault`, figures)
  return failedBefore > 0 ? inconclusive('writes failed before the fault', figures) : findingOf([], figures)
}

function recovered({ missing }: DrillWindow): Finding {
  return findingOf(missing === undefined ? [] : [{ says: missing, events: [] }], {})
}
