/** All checkers by the names under which verdicts show them. */
import { createdOnce, noPhantom, nothingLost, oneId, sameContent, storedOnce } from './items.ts'
import { fencesRise, oneHolder } from './locks.ts'
import { faultsHappened, recovery } from './run.ts'
import type { Checker } from './verdict.ts'

export interface CheckOptions {
  /** Longest time from the end of all faults to the answer to what is sent again, milliseconds. */
  readonly recoveryMs: number
  /** Whether there was a register workload to judge. */
  readonly locks: boolean
}

export function checkersOf({ recoveryMs, locks }: CheckOptions): Readonly<Record<string, Checker>> {
  const items: Readonly<Record<string, Checker>> = {
    'nothing-lost': nothingLost,
    'stored-once': storedOnce,
    'created-once': createdOnce,
    'same-content': sameContent,
    'no-phantom': noPhantom,
    'one-id': oneId,
    recovery: recovery(recoveryMs),
    'faults-happened': faultsHappened,
  }
  return locks ? { ...items, 'fences-rise': fencesRise, 'one-holder': oneHolder } : items
}
