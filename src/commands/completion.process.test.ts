/** The completion scripts in their shells. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from '../testing/folder.ts'
import { runIngot } from '../testing/process.ts'
import { allOptions } from './line/arguments.ts'
import { COMMANDS } from './table.ts'

const folder = temporaryFolder()

const isThere = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0

/** Runs a script of a shell in a folder with a file and a folder to complete. */
function run(shell: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(shell, args, { cwd: folder, encoding: 'utf8', timeout: 120_000 })
  expect(stderr).toBe('')
  return stdout
}

/** Returns the completions of a line, one word per line. */
const OFFERS: Readonly<Record<string, (line: string) => readonly string[]>> = {
  bash(line) {
    const words = line.split(' ').map((word) => `'${word}'`)
    const script = `. ./ingot.bash; COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; _ingot
      ((\${#COMPREPLY[@]} == 0)) || printf '%s\\n' "\${COMPREPLY[@]}"`
    return wordsOf(run('bash', ['--norc', '-c', script]))
  },
  fish(line) {
    const offered = wordsOf(run('fish', ['--no-config', '-c', `source ingot.fish; complete -C '${line}'`]))
    return offered.map((word) => word.split('\t')[0] ?? '')
  },
}

const wordsOf = (text: string): readonly string[] => text.split('\n').filter((word) => word !== '')

beforeAll(async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await runIngot(['completion', shell])
    expect(code).toBe(0)
    writeFileSync(join(folder, `ingot.${shell}`), stdout)
  }
  writeFileSync(join(folder, 'items.ndjson'), '')
  mkdirSync(join(folder, 'items-data'))
})

describe.each(['bash', 'fish'])('in %s', (shell) => {
  const offers = OFFERS[shell] ?? (() => [])
  const absent = !isThere(shell)

  test('offers every command and option of the table', async ({ skip }) => {
    if (absent) skip(`${shell} is not installed`)
    const first = new Set(COMMANDS.map(({ name }) => name.split(' ')[0]))
    expect(offers('ingot ')).toEqual(expect.arrayContaining([...first]))
    for (const { name, load } of COMMANDS) {
      const options = Object.keys(allOptions(await load())).map((option) => `--${option}`)
      expect(offers(`ingot ${name} --`).toSorted(), name).toEqual(options.toSorted())
    }
  })

  test.for<[string, string[]]>([
    ['ingot exp', ['export']],
    ['ingot drill ', ['canary', 'history', 'job', 'run', 'undo']],
    ['ingot kube drill ', ['list', 'report', 'run', 'watch']],
    ['ingot kube drill w', ['watch']],
    ['ingot drill h', ['history']],
    ['ingot check --fencing ', ['off', 'on']],
    ['ingot completion z', ['zsh']],
    ['ingot epoch ', ['new', 'show']],
    ['ingot help ver', ['verify']],
    ['ingot ingest items.', ['items.ndjson']],
    ['ingot export --out items.', ['items.ndjson']],
    ['ingot export -o items.', ['items.ndjson']],
    ['ingot export --from ', []],
    ['ingot nothing ', []],
  ])('%j offers %j', ([line, words], { skip }) => {
    if (absent) skip(`${shell} is not installed`)
    // fish offers files if it has no other completion
    if (shell === 'fish' && words.length === 0) skip('fish offers files if it has no other completion')
    const offered = offers(line).filter((word) => !word.startsWith('items') || line.includes('items'))
    expect(offered.filter((word) => !word.startsWith('ingot.')).toSorted()).toEqual(words)
  })
})

/** Types each line and a tab in a real zsh, in which `ingot` prints its arguments. */
const ZSH = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; autoload -Uz compinit; compinit -u -D; source ingot.zsh; ingot() { print -r -- 'ARG''S:'\\"\\$*:\\" }; print REA''DY"
zpty -r z out '*READY*'
for line in "$@"; do
  zpty -w -n z "$line"$'\\t'
  zpty -w -n z $'\\n'
  zpty -r z out '*ARGS:*:*'
  print -r -- "\${\${out##*ARGS:}%%:*}"
done
zpty -d z
`

// the shell removes the slash or space after a word when the line ends
test('in zsh, a tab completes commands, options and values', ({ skip }) => {
  if (!isThere('zsh')) skip('zsh is not installed')
  const typed: Readonly<Record<string, string>> = {
    'ingot expo': 'export',
    'ingot drill hi': 'drill history',
    'ingot kube drill wa': 'kube drill watch',
    'ingot kube drill report --for': 'kube drill report --format',
    'ingot export --fr': 'export --from',
    'ingot drill job --im': 'drill job --image',
    'ingot ingest --retr': 'ingest --retry-for',
    'ingot check --fencing of': 'check --fencing off',
    'ingot completion z': 'completion zsh',
    'ingot help ver': 'help verify',
    'ingot ingest items.n': 'ingest items.ndjson',
    'ingot verify --data items-d': 'verify --data items-data',
  }
  const printed = run('zsh', ['-f', '-c', ZSH, 'zsh', ...Object.keys(typed)])
  expect(
    printed
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/[ /]+$/, '')),
  ).toEqual(Object.values(typed))
})

test('refuses an unknown shell, and lists the known ones', async () => {
  expect(await runIngot(['completion', 'tcsh'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there are completions for bash, zsh and fish, not for "tcsh"') as string,
  })
})
