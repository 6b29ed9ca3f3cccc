/**
 * Runs the programs of this folder (`npm run torture` and others) with the parser of the main program: `--help`,
 * `--version`, "did you mean", checked values, exit codes, and a clean end by Ctrl-C.
 *
 *   await runProgram({ call: 'npm run sums --', summary: 'adds numbers', command: defineCommand({ ... }) })
 */
import { EXIT, type ExitCode, type Io, usageError } from '../commands/line/command.ts'
import { type Program, runProgram as runLine } from '../commands/line/line.ts'
import { runProcess } from '../commands/line/process.ts'
import { IngotError } from '../errors/error.ts'
import { systemRemedy } from '../std/system-failure.ts'

export { parseArguments } from '../commands/line/arguments.ts'
export type { ExitCode, Io, Values } from '../commands/line/command.ts'
export { defineCommand, EXIT, usageError } from '../commands/line/command.ts'

/** Runs a program as the main program of this process, and ends the process. */
export function runProgram(program: Program): Promise<never> {
  return runProcess((io, context) => runLine(context.argv, io, { ...program, ...context }))
}

/**
 * Shows a failure that is neither a IngotError nor one of the system as its message alone and returns `failed`, or that the
 * work was aborted.
 */
export async function orSay(io: Io, failed: ExitCode, work: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await work()
  } catch (thrown) {
    if (io.signal.aborted && thrown === io.signal.reason) {
      // a run of minutes prints why there is no verdict; commands of the main program end silently
      io.stderr.write(`${messageOf(thrown)}\n`)
      return EXIT.aborted
    }
    if (thrown instanceof IngotError || systemRemedy(thrown) !== undefined) throw thrown
    io.stderr.write(`${messageOf(thrown)}\n`)
    return io.signal.aborted ? EXIT.aborted : failed
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** Returns the number of an option. Throws IngotError USAGE_INVALID unless it is above 0 and at most `max`. */
export function numberOption(name: string, text: string, max: number): number {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0 && value <= max) return value
  throw usageError(`--${name} is "${text}", write a number above 0, up to ${max}`)
}

const OR = new Intl.ListFormat('en-GB', { type: 'disjunction' })

/** Returns the value of an option. Throws IngotError USAGE_INVALID unless it is one of `allowed`. */
export function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found !== undefined) return found
  throw usageError(`--${name} is "${value}", write ${OR.format(allowed)}`)
}
