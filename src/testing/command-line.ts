/**
 * The frame of the programs of this folder (`npm run e2e`, `torture`, `crash`): their flags, an end by Ctrl-C that
 * leaves nothing behind, and exit codes. What is wrong with a call is a Fault USAGE_INVALID that says what to write.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { Fault } from '../std/fault.ts'

type Options = NonNullable<ParseArgsConfig['options']>

/** Flags, and nothing but those. `args` default to the program's own. */
export function flagsOf<const T extends Options>(options: T, args: readonly string[] = process.argv.slice(2)) {
  try {
    return parseArgs({ options, args: [...args] }).values
  } catch (cause) {
    const names = Object.keys(options).map((name) => `--${name}`)
    const why = cause instanceof Error ? cause.message : String(cause)
    throw usageFault(`${why.replace(/\.? To specify a positional.*$/s, '')}: there are ${names.join(', ')}`)
  }
}

export function usageFault(message: string): Fault {
  return new Fault('USAGE_INVALID', message)
}

const OR = new Intl.ListFormat('en-GB', { type: 'disjunction' })

export function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found !== undefined) return found
  throw usageFault(`--${name} is "${value}", write ${OR.format(allowed)}`)
}

/** Aborts at the first SIGINT or SIGTERM, which is said; the second one ends the program as usual. */
export function endBySignals(say: (line: string) => void = () => {}): AbortSignal {
  const ending = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      say(`${name}: cleaning up`)
      ending.abort(new Error(`ended by ${name}`))
    })
  }
  return ending.signal
}

const WRONG_USAGE = 2
const ENDED_EARLY = 4

export interface Ends {
  /** Default: none, and then a signal ends the program as usual. */
  readonly ending?: AbortSignal
  /** Exit code of a failure of any other kind. */
  readonly otherwise: number
}

/** What `main` answers. What it throws is printed: 2 for wrong usage, 4 for an end by a signal, else `otherwise`. */
export async function exitCode(main: () => Promise<number>, { ending, otherwise }: Ends): Promise<number> {
  try {
    return await main()
  } catch (thrown) {
    process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
    if (ending?.aborted === true) return ENDED_EARLY
    return thrown instanceof Fault && thrown.code === 'USAGE_INVALID' ? WRONG_USAGE : otherwise
  }
}
