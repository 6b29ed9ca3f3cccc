/** What each fault may cost, and whether it kept to it. Pure. */

import { FAULTS, type FaultName, isForcedOnRedis, needsLocks, type Setup } from '../plan.ts'
import { DOWN_AFTER_MS, NODE_TIMEOUT_MS } from '../targets/kubernetes/values.ts'
import type { Outage } from './outage.ts'

export interface Goal {
  readonly says: string
  readonly met: boolean
  /** A time on a machine that others use too says little by itself: it is printed, and fails nothing. */
  readonly isTime?: true
  /** What was measured, in words. */
  readonly seen: string
}

/** What the canary lost: writes that Redis had acknowledged, and grants of one lock that overlapped. */
export interface CanaryFigures {
  readonly writesLost: number
  readonly overlappingGrants: number
}

export interface Measured {
  readonly setup: Setup
  readonly fault: FaultName
  readonly outage: Outage
  /** Without one, where no Redis is installed. */
  readonly canary?: CanaryFigures
  /** See floorOf. */
  readonly floorMs: number
  /** What a plain kill of the primary cost in the same run; absent when there was none. */
  readonly referenceMs?: number
}

/** An election among Sentinels takes up to a second, one in the cluster half of one to one. */
const ELECTION_MS = 1_000

/** The least that a failover takes by the settings of Redis, so that no client can be faster; 0 where no write waits for it. */
export function floorOf(setup: Setup, fault: FaultName): number {
  if (!needsLocks(setup) || !isForcedOnRedis(fault)) return 0
  // nobody is left to take over: there is no failover
  if (FAULTS[fault].nature === 'redis-all') return 0
  if (setup.mode === 'sentinel') return DOWN_AFTER_MS + ELECTION_MS
  return setup.mode === 'cluster' ? NODE_TIMEOUT_MS + ELECTION_MS : 0
}

/** What lies beyond the floor, for the clients to find the new primary. */
const BEYOND_FLOOR_MS = 2_000
/** Classes of what happens to requests on connections of a pod that died: nothing that a living pod answered. */
const CONNECTION = /^(closed|reset|broken pipe|refused|dial|dial timeout|timeout|unanswered)$/

export function goalsOf(measured: Measured): readonly Goal[] {
  const { setup, fault } = measured
  const locks = needsLocks(setup)
  const { nature } = FAULTS[fault]
  switch (nature) {
    case 'redis-forced':
    case 'redis-overtaken':
    case 'redis-all':
      return locks ? primaryGoals(measured) : [noFailure(measured, 'no Redis fault fails a write')]
    case 'redis-graceful':
      return [noFailure(measured, 'a graceful delete fails no write'), ...canaryKeeps(measured)]
    case 'service-forced':
      return [ownConnections(measured)]
    case 'both-forced':
      return locks ? [atMostFloor(measured)] : [ownConnections(measured)]
    case 'node':
      return locks ? [] : [ownConnections(measured)]
    case 'rollout':
      return [noFailure(measured, 'a rollout fails no write'), ...canaryKeeps(measured)]
    default:
      return nature satisfies never
  }
}

/** What the loss of Redis may cost where writes wait for it. */
function primaryGoals(measured: Measured): readonly Goal[] {
  const { nature } = FAULTS[measured.fault]
  // nobody takes over: it takes as long as pods take to start
  if (nature === 'redis-all') return []
  return [nature === 'redis-overtaken' ? atMostReference(measured) : atMostFloor(measured)]
}

export function failuresOf({ failures }: Outage): string {
  const counted = Object.entries(failures).map(([name, count]) => `${name} ${count}`)
  return counted.length === 0 ? 'none failed' : counted.join(', ')
}

function noFailure({ outage }: Measured, says: string): Goal {
  return { says, met: Object.keys(outage.failures).length === 0, seen: failuresOf(outage) }
}

function ownConnections({ outage }: Measured): Goal {
  const strange = Object.keys(outage.failures).filter((name) => !CONNECTION.test(name))
  return {
    says: "a pod's death fails no request but those on its own connections",
    met: strange.length === 0,
    seen: failuresOf(outage),
  }
}

/** Whichever is longest: nobody was served, somebody was not, or somebody waited. */
export function costMs({ withoutGoodMs, failingMs, slowestMs }: Outage): number {
  return Math.max(withoutGoodMs, failingMs, slowestMs)
}

function atMostFloor({ outage, floorMs }: Measured): Goal {
  const cost = costMs(outage)
  return {
    says: `a forced kill of the primary costs at most its floor of ${seconds(floorMs)} and ${seconds(BEYOND_FLOOR_MS)}`,
    met: cost <= floorMs + BEYOND_FLOOR_MS,
    isTime: true,
    seen: `${seconds(cost)}; ${failuresOf(outage)}`,
  }
}

/** What an overtaken delete may cost beyond the successor's silence and a plain kill. */
const BEYOND_REFERENCE_MS = 5_000

/** Two primaries go, one after the other: the second is found gone after its own silence, and is replaced as after a plain kill. */
function atMostReference({ setup, outage, referenceMs }: Measured): Goal {
  const says =
    'an overtaken delete costs at most the failure detection of the primary, a plain kill in the same run, and 5.0 s'
  if (referenceMs === undefined) return { says, met: false, seen: 'the run has no plain kill to compare with' }
  const silenceMs = setup.mode === 'cluster' ? NODE_TIMEOUT_MS : DOWN_AFTER_MS
  const allowed = silenceMs + referenceMs + BEYOND_REFERENCE_MS
  const cost = costMs(outage)
  const seen = `${seconds(cost)} of ${seconds(allowed)}, a plain kill cost ${seconds(referenceMs)}; ${failuresOf(outage)}`
  return { says, met: cost <= allowed, seen }
}

function canaryKeeps({ canary }: Measured): readonly Goal[] {
  if (canary === undefined) return []
  const { writesLost } = canary
  return [{ says: 'the canary loses no acknowledged Redis write', met: writesLost === 0, seen: `${writesLost} lost` }]
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
