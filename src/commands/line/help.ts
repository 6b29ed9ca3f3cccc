/** Formats the output of `--help`. */
import { allOptions } from './arguments.ts'
import type { Command, CommandEntry, Option } from './command.ts'

const FOOTER = `Exit codes: 0 fine, 1 violated or failed, 2 wrong usage or configuration, 3 inconclusive, 4 aborted.`

/** Returns the list of commands. */
export function overview(entries: readonly CommandEntry[], call = 'ingot'): string {
  const commands = columns(entries.map(({ name, summary }) => [name, summary]))
  return `ingot: items in, once. Send the same content as often as you like, it is saved exactly once.

Usage:
  ${call} COMMAND [OPTIONS]

Commands:
${commands}

  ${call} COMMAND --help   explains a command, with examples
  ${call} --version        prints the version

${FOOTER}
`
}

/** Returns the complete help of one command. `call` is its command line. */
export function explanation(call: string, summary: string, command: Command): string {
  const rest = command.rest === undefined ? [] : ['--', command.rest]
  const words = [call, ...(command.positionals ?? []), ...requiredOptions(command), '[OPTIONS]', ...rest]
  const options = Object.entries(allOptions(command)).map(([name, option]) => [left(name, option), right(option)])
  return `${call.replace(/ --$/, '')}: ${summary}

Usage:
  ${words.join(' ')}

${command.help.trim()}

Examples:
${command.examples.map((example) => `  ${example}`).join('\n')}

Options:
${columns(options)}

${command.exitCodes ?? FOOTER}
`
}

function requiredOptions(command: Command): string[] {
  return Object.entries(command.options).flatMap(([name, option]) =>
    option.type === 'string' && option.required === true ? [`--${name} ${option.value}`] : [],
  )
}

function left(name: string, option: Option): string {
  const short = option.short === undefined ? '' : `-${option.short}, `
  return `${short}--${name}${option.type === 'string' ? ` ${option.value}` : ''}`
}

function right(option: Option): string {
  if (option.type === 'boolean') return option.summary
  if (option.required === true) return `${option.summary} (required)`
  return option.default === undefined ? option.summary : `${option.summary} (default: ${option.default})`
}

function columns(rows: readonly (readonly string[])[]): string {
  const width = Math.max(...rows.map(([first = '']) => first.length))
  return rows.map(([first = '', second = '']) => `  ${first.padEnd(width)}  ${second}`.trimEnd()).join('\n')
}
