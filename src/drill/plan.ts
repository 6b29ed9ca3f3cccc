/** The drills, the faults that each setup can have, and the plans of CI and of the full matrix. Pure. */
import { MODES, type Mode } from '../redis/topology/roles.ts'

export const STORES = ['postgres', 'http'] as const
export type Store = (typeof STORES)[number]
export const LOCKS = ['auto', 'always'] as const
export type LockMode = (typeof LOCKS)[number]

/** The component that a fault breaks. report/goals.ts derives the allowed cost from its nature. */
interface FaultKind {
  /** Short description in the form of a sentence without a full stop. */
  readonly summary: string
  readonly nature:
    | 'redis-forced'
    | 'redis-all'
    | 'redis-graceful'
    | 'redis-overtaken'
    | 'service-forced'
    | 'both-forced'
    | 'node'
    | 'rollout'
}

export const FAULTS = {
  'primary-kill': { summary: 'the Redis primary is killed and its pod deleted', nature: 'redis-forced' },
  'primary-delete': { summary: 'the pod of the Redis primary is deleted gracefully', nature: 'redis-graceful' },
  'overtaken-delete': {
    summary: 'a graceful deletion of the Redis primary is overtaken by a forced one, and the new primary is killed',
    nature: 'redis-overtaken',
  },
  'service-kill': { summary: 'a pod of the service is killed and deleted', nature: 'service-forced' },
  'primary-service-kill': {
    summary: 'the Redis primary and a pod of the service are killed at the same time',
    nature: 'both-forced',
  },
  'primary-sentinel-kill': {
    summary: 'the Redis primary and a Sentinel are killed at the same time',
    nature: 'redis-forced',
  },
  'redis-all-kill': { summary: 'all Redis pods are killed at the same time', nature: 'redis-all' },
  'node-freeze': { summary: 'the node of a Redis primary is frozen and thawed', nature: 'node' },
  'upgrade-image': { summary: 'helm upgrade with another image', nature: 'rollout' },
  'upgrade-replicas': { summary: 'helm upgrade with more replicas', nature: 'rollout' },
  'restart-all': { summary: 'rollout restart of the service, Redis and the Sentinels', nature: 'rollout' },
} as const satisfies Record<string, FaultKind>

export type FaultName = keyof typeof FAULTS
/** The fault to whose cost other goals are compared. */
export const REFERENCE: FaultName = 'primary-kill'
export const FAULT_NAMES = Object.keys(FAULTS).filter(isFaultName)

/** Returns true if a fault has this name. */
export function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name)
}

/**
 * Returns true if Redis loses servers without a handover. Replication is asynchronous, so their last writes may be
 * lost.
 */
export function isForcedOnRedis(fault: FaultName): boolean {
  const { nature } = FAULTS[fault]
  return nature !== 'redis-graceful' && nature !== 'service-forced' && nature !== 'rollout'
}

/** A combination of Redis topology, store and lock mode. */
export interface Setup {
  readonly mode: Mode
  readonly store: Store
  readonly lock: LockMode
}

/** Returns true if writes wait for Redis. */
export function needsLocks({ store, lock }: Setup): boolean {
  return lock === 'always' || store === 'http'
}

/** Sabotages of the service that the checkers must find. */
export type Sabotage = 'answer-before-commit' | 'no-lock'

/** A negative control: a drill whose verdict must not be valid. */
export interface Control {
  readonly name: string
  readonly summary: string
  readonly sabotage?: Sabotage
  readonly fault: FaultName | 'postgres-kill' | 'skipped'
  readonly expected: 'violated' | 'inconclusive'
  /** The check that must find a violation. */
  readonly breaks?: string
}

/** One installation, with one load for its faults and one for each control. */
export interface Run extends Setup {
  readonly faults: readonly FaultName[]
  readonly controls: readonly Control[]
}

const SKIPPED: Control = {
  name: 'skipped-fault',
  summary: 'no fault is injected',
  fault: 'skipped',
  expected: 'inconclusive',
}
const EARLY: Control = {
  name: 'answer-before-commit',
  summary: 'the service responds before it commits, and Postgres is killed',
  sabotage: 'answer-before-commit',
  fault: 'postgres-kill',
  expected: 'violated',
  breaks: 'nothing-lost',
}
const UNLOCKED: Control = {
  name: 'no-lock',
  summary: 'the service takes no locks in front of an external store',
  sabotage: 'no-lock',
  fault: 'service-kill',
  expected: 'violated',
  breaks: 'stored-once',
}

const CLUSTER_IN_CI: readonly FaultName[] = ['primary-kill', 'primary-delete', 'redis-all-kill', 'node-freeze']
const HTTP_IN_CI: readonly FaultName[] = ['primary-kill', 'primary-delete', 'overtaken-delete']

/** Returns the drills that gate a change: at most 25 minutes on two cores. */
export function ciPlan(): readonly Run[] {
  return [
    ...runsOf({ mode: 'sentinel', store: 'postgres', lock: 'auto' }, FAULT_NAMES, []),
    ...runsOf({ mode: 'cluster', store: 'postgres', lock: 'auto' }, CLUSTER_IN_CI, [SKIPPED, EARLY]),
    ...runsOf({ mode: 'sentinel', store: 'http', lock: 'auto' }, HTTP_IN_CI, [UNLOCKED]),
  ]
}

/** Returns every setup with every fault that it can have. */
export function fullPlan(): readonly Run[] {
  const setups = MODES.flatMap((mode) => STORES.flatMap((store) => LOCKS.map((lock): Setup => ({ mode, store, lock }))))
  return setups
    .filter((setup) => whyNot(setup) === undefined && !isSameAsAuto(setup))
    .flatMap((setup) => runsOf(setup, FAULT_NAMES, controlsOf(setup)))
}

/** Returns true if the setup equals the one with `auto`: with an http store, `auto` always locks. */
function isSameAsAuto({ store, lock }: Setup): boolean {
  return store === 'http' && lock === 'always'
}

function controlsOf({ mode, store, lock }: Setup): readonly Control[] {
  if (mode !== 'sentinel' || lock !== 'auto') return []
  return store === 'http' ? [UNLOCKED] : [SKIPPED, EARLY]
}

const CONTROLS: readonly Control[] = [SKIPPED, EARLY, UNLOCKED]

/** Returns one line per fault and per negative control: its name, and what it does. */
export function describeFaults(): string {
  const faults = FAULT_NAMES.map((name) => [name, FAULTS[name].summary] as const)
  const controls = CONTROLS.map(({ name, summary }) => [name, summary] as const)
  const width = Math.max(...[...faults, ...controls].map(([name]) => name.length))
  const lines = (list: readonly (readonly [string, string])[]): readonly string[] =>
    list.map(([name, summary]) => `  ${name.padEnd(width)}  ${summary}`)
  return ['Faults (--fault):', ...lines(faults), '', 'Negative controls (--control):', ...lines(controls), ''].join(
    '\n',
  )
}

/** Returns the controls that a setup can have, whether or not a plan has them. */
export function controlsFor({ store }: Setup): readonly Control[] {
  return [SKIPPED, store === 'http' ? UNLOCKED : EARLY]
}

/** Returns one run, or none if the setup can have none of these faults and there is no control. */
export function runsOf(setup: Setup, faults: readonly FaultName[], controls: readonly Control[]): readonly Run[] {
  const fit = faults.filter((fault) => whyNotFault(setup, fault) === undefined)
  return fit.length + controls.length === 0 ? [] : [{ ...setup, faults: withReference(setup, fit), controls }]
}

/** Adds the plain kill before an overtaken deletion, whose goal is relative to it in the same run. */
function withReference(setup: Setup, faults: readonly FaultName[]): readonly FaultName[] {
  if (!needsLocks(setup) || !faults.some((fault) => FAULTS[fault].nature === 'redis-overtaken')) return faults
  return [REFERENCE, ...faults.filter((fault) => fault !== REFERENCE)]
}

/** Returns why the setup does not exist, or undefined if it does. */
export function whyNot({ mode, store, lock }: Setup): string | undefined {
  if (mode !== 'external') return undefined
  if (store === 'http') return 'with --mode external no Redis is installed, and store http cannot do without a lock'
  return lock === 'always' ? 'with --mode external no Redis is installed, and --lock always needs one' : undefined
}

/** Returns why the setup cannot have the fault, or undefined if it can. */
export function whyNotFault({ mode }: Setup, fault: FaultName): string | undefined {
  const { nature } = FAULTS[fault]
  if (mode === 'external' && nature !== 'service-forced' && nature !== 'rollout') return 'no Redis is installed'
  if (fault === 'primary-sentinel-kill' && mode !== 'sentinel') return 'there are no Sentinels'
  if (mode !== 'standalone') return undefined
  if (fault === 'redis-all-kill') return 'with a single Redis this is primary-kill'
  if (nature === 'redis-overtaken') return 'a single Redis has no replica'
  return undefined
}

/** Returns a name such as `sentinel-postgres-auto`. */
export function setupName({ mode, store, lock }: Setup): string {
  return `${mode}-${store}-${lock}`
}
