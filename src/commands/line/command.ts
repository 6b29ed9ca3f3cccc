/**
 * What a command of `ingot` is. A command says what it takes, and gets values that were checked against that; whatever
 * it throws is shown by the command line, so no command prints its own errors or ends the process.
 */
import type { Readable, Writable } from 'node:stream'
import { IngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import { parseDurationMs } from '../../std/duration.ts'

/** What a command's exit code says, whichever command it is. */
export const EXIT = {
  fine: 0,
  /** A promise is violated, or the work failed. */
  failed: 1,
  /** Wrong usage or configuration: nothing was started. */
  usage: 2,
  inconclusive: 3,
  /** Ended by Ctrl-C or SIGTERM before the work was done. */
  aborted: 4,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A stream to write on, which may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number }

/** The world around a command. */
export interface Io {
  readonly stdin: Readable
  readonly stdout: Output
  readonly stderr: Output
  readonly clock: Clock
  /** Aborts at the first Ctrl-C or SIGTERM; a second one ends the process without asking. */
  readonly signal: AbortSignal
}

interface TextOption {
  readonly type: 'string'
  /** What stands for the value in help, such as `URL`. */
  readonly value: string
  readonly summary: string
  readonly short?: string
  readonly default?: string
  /** Without it the command is refused. */
  readonly required?: true
}

interface Flag {
  readonly type: 'boolean'
  readonly summary: string
  readonly short?: string
}

export type Option = TextOption | Flag
export type Options = Readonly<Record<string, Option>>

type Value<O extends Option> = O extends Flag
  ? boolean
  : O extends { readonly default: string } | { readonly required: true }
    ? string
    : string | undefined

/** The values of options: those with a default or required are always there. */
export type Values<O extends Options> = { readonly [K in keyof O]: Value<O[K]> }

export interface Arguments<O extends Options = Options> {
  readonly values: Values<O>
  /** As many as the command names. */
  readonly positionals: readonly string[]
}

interface Definition<O extends Options> {
  /** Names of what comes without a dash, all of them needed, such as `FILE`. */
  readonly positionals?: readonly string[]
  /** What it does and what to know, in paragraphs of lines up to 100 characters. */
  readonly help: string
  /** Whole command lines that work as they are. */
  readonly examples: readonly string[]
  readonly options: O
  run(args: Arguments<O>, io: Io): Promise<ExitCode>
}

export type Command = Definition<Options>

/** One line of the table of commands. Loading is late, so that `--help` does not load a web server. */
export interface CommandEntry {
  /** One word, or two of which the first is shared by a family, such as `drill history`. */
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  readonly load: () => Promise<Command>
}

/** Ties the type of a command's values to its options. */
export function defineCommand<const O extends Options>(definition: Definition<O>): Command {
  return {
    ...definition,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- parseArguments gives values by these very options
    run: (args, io) => definition.run(args as Arguments<O>, io),
  }
}

/** A wrong command line: one sentence that says what is wrong. */
export function usageError(message: string): IngotError {
  return new IngotError('USAGE_INVALID', message)
}

/** Milliseconds of an option such as `--retry-for 60s`. */
export function durationOption(name: string, text: string): number {
  const ms = parseDurationMs(text)
  if (ms === undefined) throw usageError(`--${name} is "${text}", write a duration such as 500ms, 30s or 5m`)
  return ms
}
