/** Parses the positionals and options of a command, or throws one sentence that says what is wrong. */
import { parseArgs } from 'node:util'
import { nearest } from '../../std/nearest.ts'
import { type Arguments, type Command, type Option, type Options, usageError } from './command.ts'

const HELP = { type: 'boolean', short: 'h', summary: 'show this help' } as const satisfies Option

export type Parsed = { readonly kind: 'help' } | { readonly kind: 'arguments'; readonly args: Arguments }

/** Returns every option of `command`, including `--help`. */
export function allOptions(command: Command): Options {
  return { ...command.options, help: HELP }
}

/** Returns the parsed arguments. Throws IngotError USAGE_INVALID. */
export function parseArguments(argv: readonly string[], command: Command): Parsed {
  const options = allOptions(command)
  const { own, rest } = split(argv, command)
  const { tokens, values, positionals } = parseArgs({
    args: [...own],
    options: parserOptions(options),
    // the checks below have better messages than the parser
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  if (values['help'] === true) return { kind: 'help' }
  for (const token of tokens) if (token.kind === 'option') checkOption(token, options)
  checkPositionals(positionals, command)
  return { kind: 'arguments', args: { values: completed(values, command.options), positionals, rest } }
}

/** Separates the words after the first `--` if the command declares them. */
function split(argv: readonly string[], command: Command): { own: readonly string[]; rest: Arguments['rest'] } {
  const at = command.rest === undefined ? -1 : argv.indexOf('--')
  return at === -1 ? { own: argv, rest: undefined } : { own: argv.slice(0, at), rest: argv.slice(at + 1) }
}

interface ParserOption {
  type: 'string' | 'boolean'
  short?: string
}

function parserOptions(options: Options): Record<string, ParserOption> {
  const entries = Object.entries(options).map(([name, { type, short }]): [string, ParserOption] => [
    name,
    short === undefined ? { type } : { type, short },
  ])
  return Object.fromEntries(entries)
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

function checkOption(token: OptionToken, options: Options): void {
  const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined
  if (option === undefined) throw usageError(unknown('option', token.rawName, namesOf(options)))
  if (option.type === 'boolean') {
    if (token.value !== undefined) throw usageError(`option "${token.rawName}" takes no value`)
    return
  }
  // `--to --quiet` lacks a value; a value that does begin with a dash can be given as `--to=-x`
  const forgotten = token.value === undefined || (!token.inlineValue && /^-./.test(token.value))
  if (forgotten) throw usageError(`option "${token.rawName}" needs a value: ${token.rawName} ${option.value}`)
}

function namesOf(options: Options): string[] {
  return Object.keys(options).map((name) => `--${name}`)
}

/** Returns a message such as `unknown option "--form", did you mean "--from"?`. */
export function unknown(kind: string, word: string, known: readonly string[]): string {
  const meant = nearest(word, known)
  return `unknown ${kind} "${word}"${meant === undefined ? '' : `, did you mean "${meant}"?`}`
}

function checkPositionals(given: readonly string[], { positionals: wanted = [], rest }: Command): void {
  const missing = wanted[given.length]
  if (missing !== undefined && !missing.startsWith('[')) throw usageError(`${missing} is missing`)
  const extra = given[wanted.length]
  if (extra === undefined) return
  const hint = rest === undefined ? '' : `: write -- before ${rest}`
  throw usageError(`"${extra}" is one argument too many${hint}`)
}

function completed(values: Readonly<Record<string, unknown>>, options: Options): Record<string, never> {
  const complete: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(options)) {
    complete[name] = values[name] ?? (option.type === 'boolean' ? false : option.default)
    const required = option.type === 'string' && option.required === true
    if (required && complete[name] === undefined) throw usageError(`--${name} ${option.value} is missing`)
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked against `options` above: Values<Options>
  return complete as Record<string, never>
}
