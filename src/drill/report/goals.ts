/** Defines the goals of each fault and decides whether they were met. Pure. */

import { FAULTS, type FaultName, isForcedOnRedis, needsLocks, type Setup } from '../plan.ts'
import { DOWN_AFTER_MS, HANDOVER_MS, NODE_TIMEOUT_MS } from '../targets/kubernetes/values.ts'
import type { Outage } from './outage.ts'

/** A goal with its measured result. */
export interface Goal {
  readonly says: string
  readonly met: boolean
  /** Marks a goal whose value depends on the machine. It is printed, and does not fail the drill. */
  readonly isTime?: true
  /** The measured value, as text. */
  readonly seen: string
}

/** Losses that the canary has observed: acknowledged Redis writes, and overlapping grants of one lock. */
export interface CanaryFigures {
  readonly writesLost: number
  readonly overlappingGrants: number
}

/** Measurements of one drill, from which its goals are derived. */
export interface Measured {
  readonly setup: Setup
  readonly fault: FaultName
  readonly outage: Outage
  /** Absent if no Redis is installed. */
  readonly canary?: CanaryFigures
  /** Shortest possible failover in milliseconds, from floorOf. */
  readonly floorMs: number
  /** Cost of a plain kill of the primary in the same run, in milliseconds. Absent if it was not run. */
  readonly referenceMs?: number
}

/** An election among Sentinels takes up to a second. An election in a cluster takes half a second to one second. */
const ELECTION_MS = 1_000

/**
 * Returns the shortest failover that the settings of Redis allow, in milliseconds. Returns 0 if no write waits for
 * Redis.
 */
export function floorOf(setup: Setup, fault: FaultName): number {
  if (!needsLocks(setup) || !isForcedOnRedis(fault)) return 0
  // no server is left, so there is no failover
  if (FAULTS[fault].nature === 'redis-all') return 0
  if (setup.mode === 'sentinel') return DOWN_AFTER_MS + ELECTION_MS
  return setup.mode === 'cluster' ? NODE_TIMEOUT_MS + ELECTION_MS : 0
}

/** Milliseconds allowed beyond the floor, for the clients to find the new primary. */
const BEYOND_FLOOR_MS = 2_000
/** Failures of requests on the connections of a dead pod. None is a response of a running pod. */
const CONNECTION = /^(closed|reset|broken pipe|refused|dial|dial timeout|timeout|unanswered)$/

/** Returns the goals of a drill, which depend on its fault and on whether writes wait for Redis. */
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
      return [noFailure(measured, 'a graceful deletion fails no write'), ...canaryKeeps(measured)]
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

/** Returns the goals for a loss of Redis where writes wait for it. */
function primaryGoals(measured: Measured): readonly Goal[] {
  const { nature } = FAULTS[measured.fault]
  // there is no failover: the recovery takes as long as the start of the pods
  if (nature === 'redis-all') return []
  return nature === 'redis-overtaken' ? [atMostReference(measured), withinHandover(measured)] : [atMostFloor(measured)]
}

/** Returns the number of failed writes by class, as text. */
export function failuresOf({ failures }: Outage): string {
  const counted = Object.entries(failures).map(([name, count]) => `${name} ${count}`)
  return counted.length === 0 ? 'none failed' : counted.join(', ')
}

function noFailure({ outage }: Measured, says: string): Goal {
  return { says, met: Object.keys(outage.failures).length === 0, seen: failuresOf(outage) }
}

function ownConnections({ outage }: Measured): Goal {
  const unexpected = Object.keys(outage.failures).filter((name) => !CONNECTION.test(name))
  return {
    says: 'the death of a pod fails no request except those on its own connections',
    met: unexpected.length === 0,
    seen: failuresOf(outage),
  }
}

/**
 * Returns the longest of three times in milliseconds: without an acknowledged write, with failing writes, and of a
 * single write.
 */
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

/** Milliseconds allowed for an overtaken deletion beyond the detection of the second failure and a plain kill. */
const BEYOND_REFERENCE_MS = 5_000

/**
 * Returns the goal of two primaries that fail in succession. The second failure is detected separately, and then
 * handled like a plain kill.
 */
function atMostReference({ setup, outage, referenceMs }: Measured): Goal {
  const says =
    'an overtaken deletion costs at most the failure detection of the primary, a plain kill in the same run, and 5.0 s'
  if (referenceMs === undefined) return { says, met: false, seen: 'the run has no plain kill to compare with' }
  const detectionMs = setup.mode === 'cluster' ? NODE_TIMEOUT_MS : DOWN_AFTER_MS
  const allowed = detectionMs + referenceMs + BEYOND_REFERENCE_MS
  const cost = costMs(outage)
  const seen = `${seconds(cost)} of ${seconds(allowed)}, a plain kill cost ${seconds(referenceMs)}; ${failuresOf(outage)}`
  return { says, met: cost <= allowed, isTime: true, seen }
}

/**
 * Returns the goal of a hand-over that a forced deletion has overtaken. If it used all its time, it kept its volume from
 * the new pod, and no write succeeded until then. Writes also fail after the kill of the new primary, which may be later.
 */
function withinHandover({ outage: { withoutGoodMs } }: Measured): Goal {
  return {
    says: `an overtaken hand-over ends before its ${seconds(HANDOVER_MS)} are over`,
    met: withoutGoodMs < HANDOVER_MS,
    seen: `${seconds(withoutGoodMs)} without an acknowledged write`,
  }
}

function canaryKeeps({ canary }: Measured): readonly Goal[] {
  if (canary === undefined) return []
  const { writesLost } = canary
  return [{ says: 'the canary loses no acknowledged Redis write', met: writesLost === 0, seen: `${writesLost} lost` }]
}

/** Returns a duration in milliseconds as text in seconds, with one decimal. */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
