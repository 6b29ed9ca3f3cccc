/** All checkers by the names under which verdicts show them. */
import { availability } from './availability.ts'
import { canaryGrants, canaryWhole, canaryWrites, type RedisLoss } from './canary.ts'
import { faultsHappened } from './faults.ts'
import { createdOnce, noPhantom, nothingLost, oneId, sameContent, storedOnce } from './items.ts'
import { loadWhole } from './load.ts'
import { fencesRise, oneHolder } from './locks.ts'
import { recovery, recoveryUnderLoad } from './recovery.ts'
import type { Checker } from './verdict.ts'

export interface CheckOptions {
  /** Longest time from the end of all faults to the answer to what is sent again, milliseconds. */
  readonly recoveryMs: number
  /** Whether there was a register workload to judge. */
  readonly locks: boolean
  /** Whether the load came from a generator at an open rate, which goes on after the faults. Default: false. */
  readonly load?: boolean
  /** Whether a canary took part. Default: false. */
  readonly canary?: boolean
  /** Whether Redis may lose what it acknowledged. Default: allow. */
  readonly redisLoss?: RedisLoss
  /** Whether there were to be faults. Default: true. */
  readonly faults?: boolean
}

type Checkers = Readonly<Record<string, Checker>>

export function checkersOf(options: CheckOptions): Checkers {
  const { recoveryMs, locks, load = false, canary = false, redisLoss = 'allow', faults = true } = options
  return {
    'nothing-lost': nothingLost,
    'stored-once': storedOnce,
    'created-once': createdOnce,
    'same-content': sameContent,
    'no-phantom': noPhantom,
    'one-id': oneId,
    ...(load ? { 'load-whole': loadWhole, availability } : {}),
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
  return { 'canary-whole': canaryWhole, 'canary-writes': canaryWrites(loss), 'canary-grants': canaryGrants(loss) }
}
