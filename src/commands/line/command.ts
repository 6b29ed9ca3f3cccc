/**
 * The definition of a command of `ingot`. A command declares its arguments and gets values that were checked against
 * the declaration. The command line shows its errors, so no command prints its own errors or ends the process.
 */
import type { Readable, Writable } from 'node:stream'
import { IngotError } from '../../errors/error.ts'
import type { Clock } from '../../std/clock.ts'
import { parseDurationMs } from '../../std/duration.ts'

/** Exit codes, with the same meaning for every command. */
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

/** An output stream, which may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number }

/** The environment of a command. */
export interface Io {
  readonly stdin: Readable
  readonly stdout: Output
  readonly stderr: Output
  readonly clock: Clock
  /** Aborts at the first Ctrl-C or SIGTERM. The second one ends the process at once. */
  readonly signal: AbortSignal
  readonly takeSignals: TakeSignals
}

/**
 * Passes signals of the process to the listener until the result is disposed. They then neither abort `Io.signal` nor
 * end the process.
 */
export type TakeSignals = (names: readonly NodeJS.Signals[], listener: (name: NodeJS.Signals) => void) => Disposable

interface TextOption {
  readonly type: 'string'
  /** Placeholder for the value in the help, such as `URL`. */
  readonly value: string
  readonly summary: string
  readonly short?: string
  readonly default?: string
  /** If set, the command is refused without this option. */
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

/** The values of options. Options with a default and required options always have a value. */
export type Values<O extends Options> = { readonly [K in keyof O]: Value<O[K]> }

export interface Arguments<O extends Options = Options> {
  readonly values: Values<O>
  /** As many as the command declares; an optional one may be missing. */
  readonly positionals: readonly string[]
  /** The words after `--`, unchanged; `undefined` without a `--`. Always `undefined` unless the command declares `rest`. */
  readonly rest: readonly string[] | undefined
}

interface Definition<O extends Options> {
  /** Names of the arguments without a dash, such as `FILE`. The last one may be optional: `[FILE]`. */
  readonly positionals?: readonly string[]
  /** Name of the words after `--`, such as `COMMAND…`. Default: `--` only ends the options. */
  readonly rest?: string
  /** What the command does, in paragraphs of lines up to 120 characters. */
  readonly help: string
  /** Complete command lines that work unchanged. */
  readonly examples: readonly string[]
  readonly options: O
  /** Exit code of a failure other than wrong usage or a signal. Default: 1. */
  readonly failed?: number | ((error: IngotError) => number)
  /** Replaces the exit codes at the end of the help. */
  readonly exitCodes?: string
  /** Resolves with the exit code: one of `EXIT`, unless `exitCodes` has others. */
  run(args: Arguments<O>, io: Io): Promise<number>
}

export type Command = Definition<Options>

/** An entry in the table of commands. The command is loaded late, so that `--help` does not load a web server. */
export interface CommandEntry {
  /** Up to three words, of which all but the last name a group, such as `kube drill list`. */
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  readonly load: () => Promise<Command>
}

/** Infers the types of a command's values from its options. */
export function defineCommand<const O extends Options>(definition: Definition<O>): Command {
  return {
    ...definition,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- parseArguments returns values by these options
    run: (args, io) => definition.run(args as Arguments<O>, io),
  }
}

/** Returns the error for a wrong command line. The message is one sentence that says what is wrong. */
export function usageError(message: string): IngotError {
  return new IngotError('USAGE_INVALID', message)
}

/**
 * Returns the milliseconds of an option such as `--retry-for 60s`. Throws IngotError USAGE_INVALID for any other text.
 */
export function durationOption(name: string, text: string): number {
  const ms = parseDurationMs(text)
  if (ms === undefined) throw usageError(`--${name} is "${text}", write a duration such as 500ms, 30s or 5m`)
  return ms
}
