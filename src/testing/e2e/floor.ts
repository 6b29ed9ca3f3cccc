/** The least that a failover of Redis can take, from its settings: what no client can be faster than. Pure. */

import { needsLocks } from './goals.ts'
import { FAULTS, type FaultName, type Setup } from './plan.ts'
import { DOWN_AFTER_MS, NODE_TIMEOUT_MS } from './values.ts'

/** An election among Sentinels takes up to a second, one in the cluster half of one to one. */
const ELECTION_MS = 1_000

/** 0 where no write waits for Redis. */
export function floorOf(setup: Setup, fault: FaultName): number {
  const { nature } = FAULTS[fault]
  const waits = needsLocks(setup) && (nature === 'redis-forced' || nature === 'both-forced' || nature === 'node')
  if (!waits) return 0
  if (setup.mode === 'sentinel') return DOWN_AFTER_MS + ELECTION_MS
  return setup.mode === 'cluster' ? NODE_TIMEOUT_MS + ELECTION_MS : 0
}
