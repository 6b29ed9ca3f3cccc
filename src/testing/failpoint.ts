/**
 * The fail points of the tests. INGOT_FAILPOINTS lists those that are on, separated by commas. It may also contain a folder
 * (an absolute path). If that folder has a file with the name of a fail point, the next process that passes the point
 * sends itself the signal in the file, once. The file is then renamed to `NAME.met`.
 */
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { FailpointName, MutablePart, Replaceable } from '../std/failpoint.ts'
import { MUTANTS } from './mutants.ts'

const on = new Set((process.env['INGOT_FAILPOINTS'] ?? '').split(',').filter((name) => name !== ''))
const folder = [...on].find((name) => isAbsolute(name))

/** Longest wait for the signal to take effect, in milliseconds: a thread may run on for a moment. */
const SIGNAL_MS = 500

export function failpoint(name: FailpointName): boolean {
  if (folder !== undefined) meet(join(folder, name))
  return on.has(name)
}

type Variants = { readonly [N in keyof Replaceable]: (value: Replaceable[N]) => Replaceable[N] }

/** The wrong variants. Each throws if it no longer applies to the shipped code. */
const WRONG: Variants = {
  // releases the lease without a check of its owner
  'lock/release-any-owner': (script) => swap(script, "string.sub(held, 1, #token + 1) == token .. ':'", 'true'),
}

export function replaceable<N extends keyof Replaceable>(name: N, value: Replaceable[N]): Replaceable[N] {
  return on.has(name) ? WRONG[name](value) : value
}

function swap(text: string, right: string, wrong: string): string {
  if (!text.includes(right)) throw new Error(`the mutation does not apply: "${right}" is gone`)
  return text.replace(right, wrong)
}

/** Returns `part` with the mutants that INGOT_FAILPOINTS names, or `part` itself. */
export function orMutant<T>(name: MutablePart, part: T): T {
  const mutants: Readonly<Record<string, unknown>> = MUTANTS[name]
  const chosen = Object.entries(mutants).flatMap(([mutant, apply]) => (on.has(mutant) ? [apply] : []))
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the name determines the type of the part
  return (chosen as readonly ((part: T) => T)[]).reduce((changed, apply) => apply(changed), part)
}

function meet(file: string): void {
  if (!existsSync(file)) return
  renameSync(file, `${file}.met`)
  process.kill(process.pid, readFileSync(`${file}.met`, 'utf8'))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SIGNAL_MS)
}
