/** Reads the options of `npm run e2e`. Throws IngotError USAGE_INVALID with a valid example. */

import {
  type Control,
  ciPlan,
  controlsFor,
  FAULT_NAMES,
  type FaultName,
  fullPlan,
  isFaultName,
  LOCKS,
  type Run,
  runsOf,
  type Setup,
  STORES,
  whyNot,
  whyNotFault,
} from '../../../drill/plan.ts'
import { MODES } from '../../../redis/topology/roles.ts'
import { oneOf, usageError, type Values } from '../../program.ts'

/** Runs and settings that the options select. */
export interface Call {
  readonly runs: readonly Run[]
  /** Iterations per second. Default: 20 with Postgres, 8 with an http store, for two cores. */
  readonly rate: number | undefined
  /** True if images are built and loaded. */
  readonly build: boolean
}

export const OPTIONS = {
  mode: { type: 'string', value: 'MODE', summary: `how Redis runs: ${MODES.join(', ')}` },
  store: { type: 'string', value: 'STORE', summary: `where items live: ${STORES.join(', ')}` },
  lock: { type: 'string', value: 'LOCK', summary: `when items are locked: ${LOCKS.join(', ')}` },
  fault: { type: 'string', value: 'NAMES', summary: 'only these faults, separated by commas; --list shows them' },
  except: { type: 'string', value: 'NAMES', summary: 'none of these faults, separated by commas' },
  control: { type: 'string', value: 'NAMES', summary: 'only these negative controls, separated by commas' },
  rate: { type: 'string', value: 'N', summary: 'iterations per second, an even number; default: by the store' },
  full: { type: 'boolean', summary: 'run every combination, not only those that gate a change' },
  list: { type: 'boolean', summary: 'print the faults and negative controls, and run nothing' },
  'no-build': { type: 'boolean', summary: 'use images that are already loaded' },
} as const

export type Given = Values<typeof OPTIONS>

/** Returns the runs and settings. Throws IngotError USAGE_INVALID. */
export function callOf({ rate, full, list: _list, 'no-build': noBuild, except, ...choice }: Given): Call {
  const isPlan = Object.values(choice).every((value) => value === undefined)
  const runs = isPlan ? planOf(full) : chosen(choice)
  return { runs: without(runs, namesOf('except', except)), rate: rateOf(rate), build: !noBuild }
}

/** Leaves faults out. One that another fault is compared to stays. */
function without(runs: readonly Run[], left: readonly FaultName[]): readonly Run[] {
  const rest = runs.flatMap(({ faults, controls, ...setup }) =>
    runsOf(
      setup,
      faults.filter((fault) => !left.includes(fault)),
      controls,
    ),
  )
  if (rest.length === 0) throw usageError('--except leaves no drill, name fewer faults')
  return rest
}

const planOf = (full: boolean): readonly Run[] => (full ? fullPlan() : ciPlan())

function rateOf(text: string | undefined): number | undefined {
  const rate = text === undefined ? undefined : Number(text)
  if (rate === undefined || (Number.isInteger(rate) && rate >= 2 && rate % 2 === 0)) return rate
  throw usageError(`--rate is "${text}", write an even number from 2`)
}

interface Choice {
  readonly mode?: string | undefined
  readonly store?: string | undefined
  readonly lock?: string | undefined
  /** Names separated by commas. Default: all. */
  readonly fault?: string | undefined
  /** Names separated by commas. With a control, the default is no fault. */
  readonly control?: string | undefined
}

/** Returns one run. Defaults: sentinel, postgres, auto and all faults. */
function chosen({ mode = 'sentinel', store = 'postgres', lock = 'auto', fault, control }: Choice): readonly Run[] {
  const setup = {
    mode: oneOf('mode', mode, MODES),
    store: oneOf('store', store, STORES),
    lock: oneOf('lock', lock, LOCKS),
  }
  const why = whyNot(setup)
  if (why !== undefined) throw usageError(why)
  const controls = control === undefined ? [] : control.split(',').map((name) => controlNamed(setup, name))
  const otherwise = controls.length > 0 ? [] : FAULT_NAMES
  const faults = fault === undefined ? otherwise : namesOf('fault', fault)
  const runs = runsOf(setup, faults, controls)
  if (runs.length > 0) return runs
  const reasons = faults.map((name) => `${name}: ${whyNotFault(setup, name)}`)
  throw usageError(`--mode ${setup.mode} cannot have these faults: ${reasons.join('; ')}`)
}

function controlNamed(setup: Setup, name: string): Control {
  const fit = controlsFor(setup)
  const control = fit.find((one) => one.name === name)
  if (control !== undefined) return control
  throw usageError(`--control "${name}" is none of store ${setup.store}'s: ${fit.map((one) => one.name).join(', ')}`)
}

/** Returns the faults that an option names; none without the option. */
function namesOf(option: 'fault' | 'except', names: string | undefined): readonly FaultName[] {
  return (names?.split(',') ?? []).map((name) => {
    if (isFaultName(name)) return name
    throw usageError(`--${option} "${name}" is none of ${FAULT_NAMES.join(', ')}`)
  })
}
