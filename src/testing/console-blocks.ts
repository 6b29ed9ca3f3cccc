/**
 * Reads the console blocks of Markdown files: commands after `$ `, and their expected output. A test runs them against a
 * service and compares the output.
 */
import { execFile } from 'node:child_process'

export interface ConsoleCommand {
  /** Line in the document, counted from 1. */
  readonly line: number
  /** As typed, without `$ `; continued lines are joined by newlines. */
  readonly command: string
  /** Expected output, below the command; empty if there is none. */
  readonly output: string
}

const BLOCK = /^```console\n([\s\S]*?)^```$/gm

/** Returns the commands of each `console` block, in order. */
export function consoleBlocksOf(markdown: string): readonly (readonly ConsoleCommand[])[] {
  return [...markdown.matchAll(BLOCK)].map((match) => {
    const firstLine = markdown.slice(0, match.index).split('\n').length + 1
    return commandsOf((match[1] ?? '').trimEnd().split('\n'), firstLine)
  })
}

function commandsOf(lines: readonly string[], firstLine: number): readonly ConsoleCommand[] {
  const commands: { line: number; typed: string[]; printed: string[] }[] = []
  for (const [at, text] of lines.entries()) {
    const last = commands.at(-1)
    if (text.startsWith('$ ')) commands.push({ line: firstLine + at, typed: [text.slice(2)], printed: [] })
    else if (last?.printed.length === 0 && last.typed.at(-1)?.endsWith('\\') === true) last.typed.push(text)
    else last?.printed.push(text)
  }
  return commands.map(({ line, typed, printed }) => ({
    line,
    command: typed.join('\n'),
    output: printed.join('\n').trimEnd(),
  }))
}

/** Returns the first word that is a program, after assignments such as `A=b`. */
export function programOf({ command }: ConsoleCommand): string {
  return command.split(/\s+/).find((word) => !/^\w+=/.test(word)) ?? ''
}

/** Values that differ in every run, such as dates. The document has examples of them. */
const VARIABLE: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>'],
  [/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, '<time>'],
  [/\([\d.,]+ s, [\d.,]+\/s\)/g, '<speed>'],
]

function withoutVariables(text: string): string {
  return VARIABLE.reduce((rest, [pattern, name]) => rest.replaceAll(pattern, name), text).replaceAll('\r', '')
}

/**
 * Returns true if `actual` matches the output in the document. `…` in the document stands for any text, and for any lines
 * where it is a line of its own.
 */
export function isPrinted(documented: string, actual: string): boolean {
  const pattern = withoutVariables(documented)
    .split('…')
    .map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
    .join('[\\s\\S]*?')
  return new RegExp(`^${pattern}$`).test(withoutVariables(actual).trimEnd())
}

export interface Difference {
  readonly line: number
  readonly command: string
  readonly documented: string
  readonly actual: string
}

const END = '\u001E'

/**
 * Runs the commands of a block in one shell in the folder `cwd` and returns those that failed or printed something else
 * than the document says. `translate` replaces the addresses of the document by those of a test.
 */
export async function runBlock(
  block: readonly ConsoleCommand[],
  { cwd, translate }: { readonly cwd: string; readonly translate: (text: string) => string },
): Promise<readonly Difference[]> {
  const script = block.map(({ command }) => `${translate(command)}\nprintf '${END}%s${END}' $?`).join('\n')
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve) => {
    execFile('bash', ['-c', script], { cwd, timeout: 120_000, maxBuffer: 2 ** 26 }, (_failure, out, errors) =>
      resolve({ stdout: out, stderr: errors }),
    )
  })
  const parts = stdout.split(END)
  return block.flatMap(({ line, command, output }, at) => {
    const printed = (parts[2 * at] ?? '').trim()
    const code = parts[2 * at + 1] ?? 'none'
    if (code === '0' && (output === '' || isPrinted(translate(output), printed))) return []
    return [{ line, command, documented: output, actual: `${printed}\n(exit code ${code}) ${stderr}`.trim() }]
  })
}
