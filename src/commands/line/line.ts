/** Runs a command line: finds the command, parses its arguments, shows its error, and returns its exit code. */
import { ERRORS, type IngotError, toIngotError } from '../../errors/error.ts'
import { systemRemedy } from '../../std/system-failure.ts'
import { parseArguments, unknown } from './arguments.ts'
import { type Command, type CommandEntry, EXIT, type Io, usageError } from './command.ts'
import { explanation, overview } from './help.ts'

export interface LineOptions {
  readonly commands: readonly CommandEntry[]
  /** What a user types before a command. Default: ingot. */
  readonly call?: string
  readonly version: string
  /** If true, failures are shown with their stack. */
  readonly debug: boolean
}

export function runLine(argv: readonly string[], io: Io, options: LineOptions): Promise<number> {
  const { debug, call } = options
  const remedy = call === undefined ? {} : { remedy: `see ${call} --help, or ${call} COMMAND --help` }
  return shown(() => dispatch(argv, io, { ...options, ...remedy }), io, { debug, ...remedy })
}

/** A program with a single command, such as `npm run torture --`. */
export interface Program {
  /** What a user types before the options. */
  readonly call: string
  /** One line for the help. */
  readonly summary: string
  readonly command: Command
  /** Exit code of a failure other than wrong usage or a signal. Default: 1. */
  readonly failed?: Command['failed']
}

export function runProgram(
  argv: readonly string[],
  io: Io,
  { call, summary, command, failed, debug, version }: Program & Omit<LineOptions, 'commands' | 'call'>,
): Promise<number> {
  const work = async (): Promise<number> => {
    if (isVersion(argv[0])) return show(`${version}\n`, io)
    const parsed = parseArguments(argv[0] === 'help' ? ['--help'] : argv, command)
    if (parsed.kind === 'help') return show(explanation(call, summary, command), io)
    return command.run(parsed.args, io)
  }
  return shown(work, io, { debug, remedy: `see ${call} --help`, ...(failed === undefined ? {} : { failed }) })
}

interface Showing {
  readonly debug: boolean
  readonly failed?: Command['failed']
  /** Replaces the remedy of a usage error. */
  readonly remedy?: string
}

async function shown(work: () => Promise<number>, io: Io, showing: Showing): Promise<number> {
  try {
    return await work()
  } catch (thrown) {
    if (io.signal.aborted && thrown === io.signal.reason) return EXIT.aborted
    const error = toIngotError(thrown)
    io.stderr.write(describe(error, showing))
    return exitCodeOf(error, showing)
  }
}

const isVersion = (word: string | undefined): boolean => ['--version', '-V', '-v'].includes(word ?? '')

async function dispatch(argv: readonly string[], io: Io, options: LineOptions & Showing): Promise<number> {
  const [first, ...rest] = argv
  if (first === undefined) {
    io.stderr.write(overview(options.commands, options.call))
    return EXIT.usage
  }
  if (isVersion(first)) return show(`${options.version}\n`, io)
  if (first === '--help' || first === '-h' || first === 'help') return help(rest, io, options)
  const entry = findEntry(argv, options.commands)
  const command = await entry.load()
  const parsed = parseArguments(rest.slice(wordsOf(entry) - 1), command)
  if (parsed.kind === 'help') return show(explained(entry, command, options), io)
  const { failed } = command
  return shown(() => command.run(parsed.args, io), io, { ...options, ...(failed === undefined ? {} : { failed }) })
}

async function help(words: readonly string[], io: Io, options: LineOptions): Promise<number> {
  if (words.length === 0) return show(overview(options.commands, options.call), io)
  const entry = findEntry(words, options.commands)
  return show(explained(entry, await entry.load(), options), io)
}

function explained({ name, summary }: CommandEntry, command: Command, { call = 'ingot' }: LineOptions): string {
  return explanation(`${call} ${name}`, summary, command)
}

function show(text: string, io: Io): number {
  io.stdout.write(text)
  return EXIT.fine
}

const wordsOf = ({ name }: CommandEntry): number => name.split(' ').length

/** Finds a command by its first words. All but the last of them name a group. */
function findEntry(words: readonly string[], commands: readonly CommandEntry[]): CommandEntry {
  const names = commands.map(({ name }) => name)
  const beginnings = [1, 2, 3].map((count) => words.slice(0, count).join(' '))
  const entry = commands.find(({ name }) => beginnings.includes(name))
  if (entry !== undefined) return entry
  for (const count of [2, 1]) {
    const group = words.slice(0, count).join(' ')
    const family = names.filter((name) => name.startsWith(`${group} `))
    if (words.length >= count && family.length > 0) throw usageError(oneOf(family, group, words[count] ?? ''))
  }
  const [first = ''] = words
  throw usageError(unknown(first.startsWith('-') ? 'option' : 'command', first, names))
}

function oneOf(family: readonly string[], first: string, second: string): string {
  const isWord = /^\w/.test(second)
  const said = isWord ? unknown('command', `${first} ${second}`, family) : `"${first}" is several commands`
  return `${said}: ${family.join(', ')}`
}

/** Errors after which nothing was started, because the call or the configuration was wrong. */
const NOTHING_STARTED: ReadonlySet<string> = new Set([
  'USAGE_INVALID',
  'CONFIG_INVALID',
  'KUBE_CONFIG_INVALID',
  'STORE_LOCKED',
  'STORE_SHAPE_UNKNOWN',
  'STORE_UNSUITABLE',
])

function exitCodeOf(error: IngotError, { failed = EXIT.failed }: Showing): number {
  if (NOTHING_STARTED.has(error.code)) return EXIT.usage
  return typeof failed === 'number' ? failed : failed(error)
}

function describe(error: IngotError, { debug, remedy }: Showing): string {
  // for a failure of the system, the remedy by its errno is more specific than that of the error code
  const usage = error.code === 'USAGE_INVALID' ? remedy : undefined
  const system = systemRemedy(error)
  const code = error.code === 'INTERNAL' && system !== undefined ? 'SYSTEM_REFUSED' : error.code
  const said = `${code}: ${error.message}\n  ${usage ?? system ?? ERRORS[error.code].commandRemedy}\n`
  return debug ? `${said}${withCauses(error)}\n` : said
}

function withCauses(error: IngotError): string {
  const stacks: string[] = []
  for (let at: unknown = error; at instanceof Error && stacks.length < 10; at = at.cause) stacks.push(at.stack ?? '')
  return stacks.join('\ncaused by ')
}
