/** Judges a history in parts, with one part in memory at a time. */
import { setImmediate as turn } from 'node:timers/promises'
import { checkersOf } from '../../../../drill/checkers/all.ts'
import { createCombined } from '../../../../drill/checkers/combine.ts'
import type { FinalStore } from '../../../../drill/checkers/final-store.ts'
import { type Checker, judge, type Verdict } from '../../../../drill/checkers/verdict.ts'
import { readSpreadRows } from '../../../../drill/final-store/spread-postgres.ts'
import { readHistory } from '../../../../drill/history.ts'
import { partFile } from '../../../../drill/partitions.ts'

export interface PartsToJudge {
  readonly folder: string
  readonly parts: number
  /** Longest time from the end of all faults to the acknowledgement of every open content, in milliseconds. */
  readonly recoveryMs: number
  readonly register: FinalStore['register']
  readonly signal: AbortSignal
}

const LOCK_CHECKS: ReadonlySet<string> = new Set(['fences-rise', 'one-holder'])

/**
 * Resolves with the verdict. Rejects with IngotError INPUT_UNREADABLE when a part cannot be read, or with the signal's
 * reason.
 */
export async function judgeParts({ folder, parts, recoveryMs, register, signal }: PartsToJudge): Promise<Verdict> {
  const combined = createCombined({ shared: isShared })
  const items = checkersOf({ recoveryMs, locks: false })
  for (let part = 0; part < parts; part++) {
    // lets the process handle signals between two parts
    await turn(undefined, { signal })
    combined.add(judge(items, readHistory(partFile(folder, part)).events, readSpreadRows(folder, part)))
  }
  const locks = readHistory(partFile(folder, 'lock')).events
  combined.add(judge(lockCheckers(recoveryMs), locks, { rows: [], ...(register === undefined ? {} : { register }) }))
  return combined.verdict()
}

/** Returns true for checks of events that are in every part: the faults and their end. */
function isShared(check: string): boolean {
  return check === 'faults-happened' || check === 'recovery'
}

function lockCheckers(recoveryMs: number): Readonly<Record<string, Checker>> {
  const all = Object.entries(checkersOf({ recoveryMs, locks: true }))
  return Object.fromEntries(all.filter(([name]) => LOCK_CHECKS.has(name)))
}
