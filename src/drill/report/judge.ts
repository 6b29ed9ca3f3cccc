/** From what was recorded to a verdict on one drill. Pure. */

import { checkersOf } from '../checkers/all.ts'
import type { RedisLoss } from '../checkers/canary.ts'
import type { FinalStore } from '../checkers/final-store.ts'
import { nothingLost } from '../checkers/items.ts'
import { type Checker, type Finding, findingOf, inconclusive, judge, type Verdict } from '../checkers/verdict.ts'
import type { Event } from '../history.ts'
import { inOrder } from '../merge.ts'
import { type Outage, outageOf } from './outage.ts'
import { cut, type Window } from './split-history.ts'

export interface DrillWindow extends Window {
  /** When the harm began, milliseconds. */
  readonly injectedMs: number
  /** Whether Redis may lose what it acknowledged: a forced kill may, a hand-over must not. */
  readonly redisLoss: RedisLoss
  /** What was still missing long after the fault; absent when all was whole again. */
  readonly missing?: string
}

/** All that is known when the load has ended. */
export interface DrillRecord {
  /** What the load sent and heard. */
  readonly load: readonly Event[]
  /** Faults and healings. */
  readonly nemesis: readonly Event[]
  /** What the canary saw; empty where there was none. */
  readonly canary: readonly Event[]
  /** The sending again. */
  readonly settle: readonly Event[]
  /** The store when the load had ended, and when everything had been sent again. */
  readonly before: FinalStore
  readonly after: FinalStore
}

export interface Judged {
  readonly window: DrillWindow
  readonly verdict: Verdict
  readonly outage: Outage
  readonly events: readonly Event[]
}

/** From the end of all faults to the first good answer. */
const RECOVERY_MS = 10_000
/** What must have been written well before a strike, for what follows to mean anything. */
const LEAST_WRITES = 20

/** Gives the verdict on each of the windows. */
export function createJudge(record: DrillRecord, windows: readonly DrillWindow[]): (window: DrillWindow) => Judged {
  const whole = inOrder([...record.load, ...record.nemesis, ...record.canary, ...record.settle])
  const finished = cut(whole, record.after, windows)
  const unsettled = cut(inOrder([...record.load, ...record.nemesis]), record.before, windows)
  return (window) => {
    const { events, store } = finished(window)
    const early = unsettled(window)
    const outage = outageOf(record.load, window)
    const checkers: Readonly<Record<string, Checker>> = {
      ...checkersOf({
        recoveryMs: RECOVERY_MS,
        locks: false,
        load: true,
        canary: record.canary.length > 0,
        redisLoss: window.redisLoss,
      }),
      // what was lost must not be saved by being sent again
      'nothing-lost': () => nothingLost(early.events, early.store),
      'steady-before': () => steady(outage),
      'whole-again': () => wholeAgain(window),
    }
    return { window, outage, events, verdict: judge(checkers, events, store) }
  }
}

function steady({ writesBefore, failedBefore }: Outage): Finding {
  const figures = { writesBefore, failedBefore }
  if (writesBefore < LEAST_WRITES) return inconclusive(`only ${writesBefore} writes before the fault`, figures)
  return failedBefore > 0 ? inconclusive('writes failed before the fault', figures) : findingOf([], figures)
}

function wholeAgain({ missing }: DrillWindow): Finding {
  return findingOf(missing === undefined ? [] : [{ says: missing, events: [] }], {})
}
