/**
 * The fail points that tests see: on when their name stands in INGOT_FAILPOINTS, separated by commas. And places to be
 * struck at, when a folder (an absolute path) stands there too: a file of a point's name in it holds a signal, which
 * whoever passes the point next sends to itself, once; `NAME.met` then says so.
 */
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import type { FailpointName, MutablePart, Replaceable } from '../std/failpoint.ts'
import { MUTANTS } from './mutants.ts'

const on = new Set((process.env['INGOT_FAILPOINTS'] ?? '').split(',').filter((name) => name !== ''))
const folder = [...on].find((name) => isAbsolute(name))

/** Longest wait for a signal to strike, milliseconds: a thread may run on for a moment. */
const STRIKE_MS = 500

export function failpoint(name: FailpointName): boolean {
  if (folder !== undefined) meet(join(folder, name))
  return on.has(name)
}

type Variants = { readonly [N in keyof Replaceable]: (value: Replaceable[N]) => Replaceable[N] }

/** The wrong variants. Each throws when the shipped code has changed so much that it no longer applies. */
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
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STRIKE_MS)
}
