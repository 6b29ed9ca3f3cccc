/** Generates the completion scripts. Pure: takes words, returns the text of a script. */

/** The words that can follow a command. */
export interface CommandWords {
  /** One word, or the words of a group and a command. */
  readonly name: string
  readonly summary: string
  readonly options: readonly OptionWords[]
  /** Choices for the first positional, or `file`. */
  readonly positional: Values
}

export interface OptionWords {
  /** `--to`, and the short name `-c` if there is one. */
  readonly names: readonly string[]
  readonly summary: string
  /** Absent for a flag. */
  readonly values?: Values
}

/** A list of known values, a file, a folder, or any text. */
export type Values = readonly string[] | 'file' | 'folder' | 'any'

/** Groups commands by one of their words, the first one by default. */
function families(commands: readonly CommandWords[], at = 0): ReadonlyMap<string, readonly CommandWords[]> {
  return Map.groupBy(commands, ({ name }) => name.split(' ')[at] ?? name)
}

/** Returns the command if the group is one whose name ends with this word. */
function commandAt(members: readonly CommandWords[], at: number): CommandWords | undefined {
  const [only] = members
  return only !== undefined && only.name.split(' ').length === at + 1 ? only : undefined
}

/** Quotes text in single quotes, in which only the quote itself needs an escape. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const lines = (...parts: readonly (string | readonly string[])[]): string => `${parts.flat().join('\n')}\n`

/**
 * Returns the script for bash: a function that reads the words before the cursor. `case` patterns are the command and
 * the previous word. Source: bash manual, "Programmable Completion".
 */
export function bashScript(commands: readonly CommandWords[]): string {
  return lines(
    '# completes ingot in bash 3.2 and newer',
    '_ingot() {',
    '  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}',
    '  COMPREPLY=()',
    '  if ((COMP_CWORD == 1)); then',
    `    ${compgen([...families(commands).keys(), 'help', '--help', '--version'])}`,
    '    return',
    '  fi',
    '  case $command in',
    ...bashFamilies(commands, 0, '  '),
    '  help)',
    `    ((COMP_CWORD > 2)) || ${compgen([...families(commands).keys()])}`,
    '    ;;',
    '  esac',
    '}',
    'complete -F _ingot ingot',
  )
}

const compgen = (words: readonly string[]): string =>
  `COMPREPLY=($(compgen -W ${quoted(words.join(' '))} -- "$current"))`

function bashValues(values: Values): string {
  if (values === 'any') return ':'
  if (values === 'file') return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current"))'
  if (values === 'folder') return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$current"))'
  return compgen(values)
}

/** The cases of the words at a position, counted from 0. */
function bashFamilies(commands: readonly CommandWords[], at: number, indent: string): readonly string[] {
  return [...families(commands, at)].flatMap(([word, members]) => {
    const command = commandAt(members, at)
    const body = command === undefined ? bashGroup(members, at + 1, `${indent}  `) : bashCommand(command, `${indent}  `)
    return [`${indent}${word})`, ...body, `${indent}  ;;`]
  })
}

function bashGroup(members: readonly CommandWords[], at: number, indent: string): readonly string[] {
  return [
    `${indent}if ((COMP_CWORD == ${at + 1})); then`,
    `${indent}  ${compgen([...families(members, at).keys()])}`,
    `${indent}  return`,
    `${indent}fi`,
    `${indent}case \${COMP_WORDS[${at + 1}]} in`,
    ...bashFamilies(members, at, indent),
    `${indent}esac`,
  ]
}

function bashCommand({ options, positional }: CommandWords, indent: string): readonly string[] {
  const names = options.flatMap((option) => option.names)
  const withValue = options.flatMap(({ names: of, values }) => (values === undefined ? [] : [{ of, values }]))
  return [
    'case $before in',
    ...withValue.map(({ of, values }) => `${of.join('|')}) ${bashValues(values)}; return ;;`),
    'esac',
    `if [[ $current == -* ]]; then ${compgen(names)}; else ${bashValues(positional)}; fi`,
  ].map((line) => indent + line)
}

/**
 * Returns the script for zsh: a function that uses `_arguments` and `_describe`. Source: zsh manual, "Completion
 * System".
 */
export function zshScript(commands: readonly CommandWords[]): string {
  const first = [...families(commands)].map(([word, members]) => zshEntry(word, summaryOf(members)))
  return lines(
    '#compdef ingot',
    '# completes ingot in zsh, once compinit has run',
    '_ingot() {',
    '  local -a commands',
    `  commands=(${first.join(' ')} 'help:explain a command')`,
    '  if ((CURRENT == 2)); then',
    "    _describe -t commands 'command' commands",
    '    return',
    '  fi',
    '  case $words[2] in',
    ...zshFamilies(commands, 0, '  '),
    "  help) ((CURRENT > 3)) || _describe -t commands 'command' commands ;;",
    '  esac',
    '}',
    'compdef _ingot ingot',
  )
}

/** Returns the summary of a command, or the next words of a group. */
function summaryOf(members: readonly CommandWords[], at = 0): string {
  return commandAt(members, at)?.summary ?? [...families(members, at + 1).keys()].join(', ')
}

const zshEntry = (name: string, summary: string): string => quoted(`${name}:${summary}`)

/** The cases of the words at a position, counted from 0. */
function zshFamilies(commands: readonly CommandWords[], at: number, indent: string): readonly string[] {
  return [...families(commands, at)].flatMap(([word, members]) => {
    const command = commandAt(members, at)
    const inner = `${indent}  `
    const body = command === undefined ? zshGroup(members, at + 1, inner) : zshCommand(command, at + 2, inner)
    return [`${indent}${word})`, ...body, `${indent}  ;;`]
  })
}

function zshGroup(members: readonly CommandWords[], at: number, indent: string): readonly string[] {
  const entries = [...families(members, at)].map(([word, of]) => zshEntry(word, summaryOf(of, at)))
  return [
    `${indent}if ((CURRENT == ${at + 2})); then`,
    `${indent}  commands=(${entries.join(' ')})`,
    `${indent}  _describe -t commands 'command' commands`,
    `${indent}  return`,
    `${indent}fi`,
    `${indent}case $words[${at + 2}] in`,
    ...zshFamilies(members, at, indent),
    `${indent}esac`,
  ]
}

/** `_arguments` treats the first word as the command, so the earlier words of the name are removed. */
function zshCommand({ options, positional }: CommandWords, words: number, indent: string): readonly string[] {
  // an argument without known values would prevent zsh from offering options
  const argument = positional === 'any' ? [] : [quoted(`1:argument:${zshValues(positional)}`)]
  return [
    `shift ${words - 1} words; ((CURRENT -= ${words - 1}))`,
    `_arguments ${[...options.flatMap(zshOption), ...argument].join(' ')}`,
  ].map((line) => indent + line)
}

function zshOption({ names, summary, values }: OptionWords): readonly string[] {
  const text = summary.replaceAll(/[[\]\\:]/g, String.raw`\$&`)
  const value = values === undefined ? '' : `:value:${zshValues(values)}`
  return names.map((name) => quoted(`(${names.join(' ')})${name}[${text}]${value}`))
}

function zshValues(values: Values): string {
  if (values === 'any') return ' '
  if (values === 'file') return '_files'
  return values === 'folder' ? '_files -/' : `(${values.join(' ')})`
}

/** Two conditions: the line begins with these words, and these words are the whole line. */
const FISH_FUNCTIONS = [
  'function __ingot_at',
  '  set -l typed (commandline -opc)',
  '  set -l last (math 1 + (count $argv))',
  '  test (count $typed) -ge $last; and test "$typed[2..$last]" = "$argv"',
  'end',
  'function __ingot_next',
  '  set -l typed (commandline -opc)',
  '  test (count $typed) -eq (math 1 + (count $argv)); or return 1',
  '  test (count $argv) -eq 0; or __ingot_at $argv',
  'end',
]

/** Returns the script for fish: one `complete` per word, with the condition for offering it. Source: fish manual. */
export function fishScript(commands: readonly CommandWords[]): string {
  const words = [...families(commands).keys()].join(' ')
  return lines(
    '# completes ingot in fish',
    FISH_FUNCTIONS,
    'complete -c ingot -f',
    fishWord('__ingot_next', 'help', 'explain a command'),
    `complete -c ingot -n __ingot_next -l help -s h -d 'explain ingot'`,
    `complete -c ingot -n __ingot_next -l version -s v -d 'print the version'`,
    `complete -c ingot -n '__ingot_next help' -a ${quoted(words)}`,
    fishFamilies(commands, 0, ''),
  )
}

const fishWord = (condition: string, word: string, summary: string): string =>
  `complete -c ingot -n ${quoted(condition)} -a ${quoted(word)} -d ${quoted(summary)}`

/** The words at a position, counted from 0, after the words `before`. */
function fishFamilies(commands: readonly CommandWords[], at: number, before: string): readonly string[] {
  return [...families(commands, at)].flatMap(([word, members]) => {
    const command = commandAt(members, at)
    const line = `${before} ${word}`
    const rest = command === undefined ? fishFamilies(members, at + 1, line) : fishCommand(command, `__ingot_at${line}`)
    return [fishWord(`__ingot_next${before}`, word, summaryOf(members, at)), ...rest]
  })
}

function fishCommand({ options, positional }: CommandWords, condition: string): readonly string[] {
  const head = `complete -c ingot -n ${quoted(condition)}`
  const own = positional === 'any' ? [] : [`${head} ${fishValues(positional)}`]
  return [...own, ...options.map((option) => `${head} ${fishOption(option)}`)]
}

function fishOption({ names, summary, values }: OptionWords): string {
  const forms = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const value = values === undefined ? [] : ['-r', values === 'any' ? '' : fishValues(values)]
  return [...forms, `-d ${quoted(summary)}`, ...value].join(' ').trimEnd()
}

function fishValues(values: Values): string {
  if (values === 'file') return '-F'
  if (values === 'folder') return `-a '(__fish_complete_directories)'`
  return values === 'any' ? '' : `-a ${quoted(values.join(' '))}`
}
