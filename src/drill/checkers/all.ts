/** All checkers, by their names in verdicts. */
import { availability } from './availability.ts'
import { canaryComplete, canaryGrants, canaryWrites, type RedisLoss } from './canary.ts'
import { faultsHappened } from './faults.ts'
import { createdOnce, noPhantom, nothingLost, oneId, sameContent, storedOnce } from './items.ts'
import { loadComplete } from './load.ts'
import { fencesRise, oneHolder } from './locks.ts'
import { recovery, recoveryUnderLoad } from './recovery.ts'
import type { Checker } from './verdict.ts'

/** Determines the checkers of a run. */
export interface CheckOptions {
  /** Longest allowed recovery after the last fault, in milliseconds. */
  readonly recoveryMs: number
  /** True if the run had a register workload to judge. */
  readonly locks: boolean
  /** True if the load came from a generator at an open rate, which continues after the faults. Default: false. */
  readonly load?: boolean
  /** True if a canary took part. Default: false. */
  readonly canary?: boolean
  /** Whether Redis may lose acknowledged writes. Default: allow. */
  readonly redisLoss?: RedisLoss
  /** True if the run was meant to inject faults. Default: true. */
  readonly faults?: boolean
}

type Checkers = Readonly<Record<string, Checker>>

/** Returns the checkers for the parts that took part in the run, by name. */
export function checkersOf(options: CheckOptions): Checkers {
  const { recoveryMs, locks, load = false, canary = false, redisLoss = 'allow', faults = true } = options
  return {
    'nothing-lost': nothingLost,
    'stored-once': storedOnce,
    'created-once': createdOnce,
    'same-content': sameContent,
    'no-phantom': noPhantom,
    'one-id': oneId,
    ...(load ? { 'load-whole': loadComplete, availability } : {}),
    ...(faults ? faultCheckers(recoveryMs, load) : {}),
    ...(canary ? canaryCheckers(redisLoss) : {}),
    ...(locks ? { 'fences-rise': fencesRise, 'one-holder': oneHolder } : {}),
  }
}

function faultCheckers(recoveryMs: number, load: boolean): Checkers {
  return {
    recovery: load ? recoveryUnderLoad(recoveryMs) : recovery(recoveryMs),
    'faults-happened': faultsHappened,
  }
}

function canaryCheckers(loss: RedisLoss): Checkers {
  return { 'canary-whole': canaryComplete, 'canary-writes': canaryWrites(loss), 'canary-grants': canaryGrants(loss) }
}
