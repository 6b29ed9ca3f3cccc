/**
 * `ingot completion`: prints scripts that complete commands, options and values in a shell, from the table of commands.
 */
import { allOptions } from './line/arguments.ts'
import { type Command, type CommandEntry, defineCommand, EXIT, type Option, usageError } from './line/command.ts'
import {
  bashScript,
  type CommandWords,
  fishScript,
  type OptionWords,
  type Values,
  zshScript,
} from './line/completion-scripts.ts'

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const

function isShell(name: string): name is keyof typeof SCRIPTS {
  return Object.hasOwn(SCRIPTS, name)
}

/** `entries` is a function because the table contains this command too. */
export function completionCommand(entries: () => readonly CommandEntry[]): Command {
  return defineCommand({
    positionals: ['bash|zsh|fish'],
    help: `
Prints a script that completes the commands of ingot, their options, and known values in a shell. The script is
specific to this version: load it again after an update.

  bash  add to ~/.bashrc:   eval "$(ingot completion bash)"
  zsh   add to ~/.zshrc:    eval "$(ingot completion zsh)"     after compinit
  fish  run once:           ingot completion fish > ~/.config/fish/completions/ingot.fish`,
    examples: ['eval "$(ingot completion bash)"', 'ingot completion fish > ~/.config/fish/completions/ingot.fish'],
    options: {},
    async run({ positionals: [shell = ''] }, io) {
      if (!isShell(shell)) throw usageError(`there are completions for bash, zsh and fish, not for "${shell}"`)
      io.stdout.write(SCRIPTS[shell](await Promise.all(entries().map(wordsOf))))
      return EXIT.fine
    },
  })
}

async function wordsOf({ name, summary, load }: CommandEntry): Promise<CommandWords> {
  const command = await load()
  const options = Object.entries(allOptions(command)).map(([long, option]) => optionOf(long, option))
  return { name, summary, options, positional: valuesOf(command.positionals?.[0] ?? '') }
}

function optionOf(long: string, option: Option): OptionWords {
  const names = option.short === undefined ? [`--${long}`] : [`--${long}`, `-${option.short}`]
  const words = { names, summary: option.summary }
  return option.type === 'boolean' ? words : { ...words, values: valuesOf(option.value) }
}

/** Derives the values from the placeholder in the help: `on|off` has two values, `FILE` is any file. */
function valuesOf(named: string): Values {
  const placeholder = named.replaceAll(/[[\]]/g, '')
  if (placeholder.includes('|')) return placeholder.split('|')
  if (placeholder === 'FILE') return 'file'
  return placeholder === 'DIR' ? 'folder' : 'any'
}
