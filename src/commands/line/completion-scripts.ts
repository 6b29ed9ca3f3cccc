/** Generates the completion scripts. Pure: takes words, returns the text of a script. */

/** The words that can follow a command. */
export interface CommandWords {
  /** One or two words. */
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

/** Groups commands by their first word. */
function families(commands: readonly CommandWords[]): ReadonlyMap<string, readonly CommandWords[]> {
  return Map.groupBy(commands, ({ name }) => name.split(' ')[0] ?? name)
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
    ...[...families(commands)].flatMap(([word, members]) => bashFamily(word, members)),
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

function bashFamily(word: string, members: readonly CommandWords[]): readonly string[] {
  const [only] = members
  if (only !== undefined && only.name === word) return [`  ${word})`, ...bashCommand(only, '    '), '    ;;']
  return [
    `  ${word})`,
    '    if ((COMP_CWORD == 2)); then',
    `      ${compgen(members.map(({ name }) => name.slice(word.length + 1)))}`,
    '      return',
    '    fi',
    '    case ${COMP_WORDS[2]} in',
    ...members.flatMap((member) => [
      `    ${member.name.slice(word.length + 1)})`,
      ...bashCommand(member, '      '),
      '      ;;',
    ]),
    '    esac',
    '    ;;',
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
  const first = [...families(commands)].map(([word, members]) => zshEntry(word, summaryOf(word, members)))
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
    ...[...families(commands)].flatMap(([word, members]) => zshFamily(word, members)),
    "  help) ((CURRENT > 3)) || _describe -t commands 'command' commands ;;",
    '  esac',
    '}',
    'compdef _ingot ingot',
  )
}

function summaryOf(word: string, members: readonly CommandWords[]): string {
  const own = members.find(({ name }) => name === word)
  return own?.summary ?? members.map(({ name }) => name.slice(word.length + 1)).join(', ')
}

const zshEntry = (name: string, summary: string): string => quoted(`${name}:${summary}`)

function zshFamily(word: string, members: readonly CommandWords[]): readonly string[] {
  const [only] = members
  if (only !== undefined && only.name === word) return [`  ${word})`, ...zshCommand(only, 2, '    '), '    ;;']
  const entries = members.map(({ name, summary }) => zshEntry(name.slice(word.length + 1), summary))
  return [
    `  ${word})`,
    '    if ((CURRENT == 3)); then',
    `      commands=(${entries.join(' ')})`,
    "      _describe -t commands 'command' commands",
    '      return',
    '    fi',
    '    case $words[3] in',
    ...members.flatMap((member) => [
      `    ${member.name.slice(word.length + 1)})`,
      ...zshCommand(member, 3, '      '),
      '      ;;',
    ]),
    '    esac',
    '    ;;',
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

/** Returns the script for fish: one `complete` per word, with the condition for offering it. Source: fish manual. */
export function fishScript(commands: readonly CommandWords[]): string {
  const all = families(commands)
  const none = `not __fish_seen_subcommand_from ${[...all.keys(), 'help'].join(' ')}`
  return lines(
    '# completes ingot in fish',
    'complete -c ingot -f',
    ...[...all].map(([word, members]) => fishWord(none, word, summaryOf(word, members))),
    fishWord(none, 'help', 'explain a command'),
    `complete -c ingot -n ${quoted(none)} -l help -s h -d 'explain ingot'`,
    `complete -c ingot -n ${quoted(none)} -l version -s v -d 'print the version'`,
    `complete -c ingot -n '__fish_seen_subcommand_from help' -a ${quoted([...all.keys()].join(' '))}`,
    ...[...all].flatMap(([word, members]) => fishFamily(word, members)),
  )
}

const fishWord = (condition: string, word: string, summary: string): string =>
  `complete -c ingot -n ${quoted(condition)} -a ${quoted(word)} -d ${quoted(summary)}`

function fishFamily(word: string, members: readonly CommandWords[]): readonly string[] {
  const seen = `__fish_seen_subcommand_from ${word}`
  const [only] = members
  if (only !== undefined && only.name === word) return fishCommand(only, seen)
  const seconds = members.map(({ name }) => name.slice(word.length + 1))
  const noSecond = `${seen}; and not __fish_seen_subcommand_from ${seconds.join(' ')}`
  return members.flatMap((member) => {
    const second = member.name.slice(word.length + 1)
    const condition = `${seen}; and __fish_seen_subcommand_from ${second}`
    return [fishWord(noSecond, second, member.summary), ...fishCommand(member, condition)]
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
