/** Which drills there are, which of them make sense together, and which a run of `npm run e2e` does. Pure. */

export const MODES = ['sentinel', 'cluster', 'standalone', 'external'] as const
export type Mode = (typeof MODES)[number]
export const STORES = ['postgres', 'http'] as const
export type Store = (typeof STORES)[number]
export const LOCKS = ['auto', 'always'] as const
export type LockMode = (typeof LOCKS)[number]

/** What is struck, and with what right to hope: see goals.ts. */
interface FaultKind {
  /** Its letter in the list of drills; several faults may be variants of one. */
  readonly letter: string
  readonly says: string
  readonly nature:
    | 'redis-forced'
    | 'redis-all'
    | 'redis-graceful'
    | 'service-forced'
    | 'both-forced'
    | 'node'
    | 'rollout'
}

export const FAULTS = {
  'master-kill': { letter: 'a', says: 'the Redis master is killed and its pod deleted', nature: 'redis-forced' },
  'master-delete': { letter: 'a', says: 'the pod of the Redis master is deleted gracefully', nature: 'redis-graceful' },
  'service-kill': { letter: 'b', says: 'a pod of the service is killed and deleted', nature: 'service-forced' },
  'master-service-kill': { letter: 'c', says: 'Redis master and a pod of the service at once', nature: 'both-forced' },
  'master-sentinel-kill': { letter: 'c', says: 'Redis master and a Sentinel at once', nature: 'redis-forced' },
  'redis-all-kill': { letter: 'd', says: 'all Redis pods at once', nature: 'redis-all' },
  'node-freeze': { letter: 'e', says: 'the node of a Redis master is frozen, and thawed', nature: 'node' },
  'upgrade-image': { letter: 'f', says: 'helm upgrade with another image', nature: 'rollout' },
  'upgrade-replicas': { letter: 'f', says: 'helm upgrade with more replicas', nature: 'rollout' },
  'restart-all': { letter: 'g', says: 'rollout restart of the service, Redis and the Sentinels', nature: 'rollout' },
} as const satisfies Record<string, FaultKind>

export type FaultName = keyof typeof FAULTS
export const FAULT_NAMES = Object.keys(FAULTS).filter(isFaultName)

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULTS, name)
}

export interface Setup {
  readonly mode: Mode
  readonly store: Store
  readonly lock: LockMode
}

/** How the service is sabotaged to see that the checkers notice. */
export type Sabotage = 'answer-before-commit' | 'no-lock'

/** What must come out wrong, and how. */
export interface Control {
  readonly name: string
  readonly sabotage?: Sabotage
  readonly fault: FaultName | 'postgres-kill' | 'skipped'
  readonly expected: 'violated' | 'inconclusive'
  /** The promise that must be found broken. */
  readonly breaks?: string
}

/** One installation, one k6 run for its faults and one for each control. */
export interface Run extends Setup {
  readonly faults: readonly FaultName[]
  readonly controls: readonly Control[]
}

const SKIPPED: Control = { name: 'skipped-fault', fault: 'skipped', expected: 'inconclusive' }
const EARLY: Control = {
  name: 'answer-before-commit',
  sabotage: 'answer-before-commit',
  fault: 'postgres-kill',
  expected: 'violated',
  breaks: 'nothing-lost',
}
const UNLOCKED: Control = {
  name: 'no-lock',
  sabotage: 'no-lock',
  fault: 'service-kill',
  expected: 'violated',
  breaks: 'stored-once',
}

const CLUSTER_IN_CI: readonly FaultName[] = ['master-kill', 'master-delete', 'redis-all-kill', 'node-freeze']

/** What decides whether a change may land: at most 25 minutes on two cores. */
export function ciPlan(): readonly Run[] {
  return [
    ...runOf({ mode: 'sentinel', store: 'postgres', lock: 'auto' }, FAULT_NAMES, []),
    ...runOf({ mode: 'cluster', store: 'postgres', lock: 'auto' }, CLUSTER_IN_CI, [SKIPPED, EARLY]),
    ...runOf({ mode: 'sentinel', store: 'http', lock: 'auto' }, ['master-kill', 'master-delete'], [UNLOCKED]),
  ]
}

/** Every setup with every fault that it can have. */
export function fullPlan(): readonly Run[] {
  const setups = MODES.flatMap((mode) => STORES.flatMap((store) => LOCKS.map((lock): Setup => ({ mode, store, lock }))))
  return setups
    .filter((setup) => whyNot(setup) === undefined && !isSameAsAuto(setup))
    .flatMap((setup) => runOf(setup, FAULT_NAMES, controlsOf(setup)))
}

/** In front of an http store `auto` locks always. */
function isSameAsAuto({ store, lock }: Setup): boolean {
  return store === 'http' && lock === 'always'
}

function controlsOf({ mode, store, lock }: Setup): readonly Control[] {
  if (mode !== 'sentinel' || lock !== 'auto') return []
  return store === 'http' ? [UNLOCKED] : [SKIPPED, EARLY]
}

function runOf(setup: Setup, faults: readonly FaultName[], controls: readonly Control[]): readonly Run[] {
  const fit = faults.filter((fault) => whyNotFault(setup, fault) === undefined)
  return fit.length + controls.length === 0 ? [] : [{ ...setup, faults: fit, controls }]
}

/** Why there is no such setup; undefined when there is. */
export function whyNot({ mode, store, lock }: Setup): string | undefined {
  if (mode !== 'external') return undefined
  if (store === 'http') return 'with --mode external no Redis is installed, and store http cannot do without a lock'
  return lock === 'always' ? 'with --mode external no Redis is installed, and --lock always needs one' : undefined
}

/** Why the setup cannot have the fault; undefined when it can. */
export function whyNotFault({ mode }: Setup, fault: FaultName): string | undefined {
  const { nature } = FAULTS[fault]
  if (mode === 'external' && nature !== 'service-forced' && nature !== 'rollout') return 'no Redis is installed'
  if (fault === 'master-sentinel-kill' && mode !== 'sentinel') return 'there are no Sentinels'
  if (mode !== 'standalone') return undefined
  if (fault === 'redis-all-kill') return 'a single Redis is all of them: that is master-kill'
  return undefined
}

export interface Flags {
  readonly mode?: string | undefined
  readonly store?: string | undefined
  readonly lock?: string | undefined
  /** Letters or names, separated by commas. */
  readonly fault?: string | undefined
  /** Names, separated by commas; without a fault there is then none. */
  readonly control?: string | undefined
}

/** No flags: `whole`. With flags: one run; what is not said is sentinel, postgres, auto and all faults. Throws RangeError. */
export function planOf(flags: Flags, whole: () => readonly Run[]): readonly Run[] {
  if (Object.values(flags).every((flag) => flag === undefined)) return whole()
  const setup: Setup = {
    mode: oneOf('mode', flags.mode ?? 'sentinel', MODES),
    store: oneOf('store', flags.store ?? 'postgres', STORES),
    lock: oneOf('lock', flags.lock ?? 'auto', LOCKS),
  }
  const why = whyNot(setup)
  if (why !== undefined) throw new RangeError(why)
  const controls = flags.control === undefined ? [] : flags.control.split(',').map((name) => controlNamed(setup, name))
  const otherwise = controls.length > 0 ? [] : FAULT_NAMES
  const faults = flags.fault === undefined ? otherwise : flags.fault.split(',').flatMap(faultsNamed)
  const runs = runOf(setup, faults, controls)
  if (runs.length > 0) return runs
  const reasons = faults.map((fault) => `${fault}: ${whyNotFault(setup, fault)}`)
  throw new RangeError(`--mode ${setup.mode} cannot have these faults: ${reasons.join('; ')}`)
}

function controlNamed({ store }: Setup, name: string): Control {
  const fit = [SKIPPED, ...(store === 'http' ? [UNLOCKED] : [EARLY])]
  const control = fit.find((one) => one.name === name)
  if (control !== undefined) return control
  throw new RangeError(`--control "${name}" is none of store ${store}'s: ${fit.map((one) => one.name).join(', ')}`)
}

function faultsNamed(text: string): readonly FaultName[] {
  const names = FAULT_NAMES.filter((name) => name === text || FAULTS[name].letter === text)
  if (names.length > 0) return names
  throw new RangeError(`--fault "${text}" is none of a to g, ${FAULT_NAMES.join(', ')}`)
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) throw new RangeError(`--${name} is "${value}", write ${allowed.join(', ')}`)
  return found
}

/** Such as `sentinel-postgres-auto`. */
export function setupName({ mode, store, lock }: Setup): string {
  return `${mode}-${store}-${lock}`
}
