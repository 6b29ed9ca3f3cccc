import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { IngotError } from '../../errors/error.ts'
import { createFakeClock } from '../../testing/clock.ts'
import { createSink } from '../../testing/http/sink.ts'
import { noSignals } from '../../testing/signals.ts'
import { COMMANDS } from '../table.ts'
import { type CommandEntry, defineCommand, EXIT, type Io } from './command.ts'
import { runLine } from './line.ts'

interface Seen {
  values?: unknown
  positionals?: readonly string[]
}

function commandsThat(work: (io: Io) => Promise<void>, seen: Seen = {}): readonly CommandEntry[] {
  const copy = defineCommand({
    positionals: ['FILE'],
    help: 'Copies FILE somewhere.',
    examples: ['ingot copy a.txt --into b.txt'],
    options: {
      into: { type: 'string', value: 'FILE', summary: 'where to', required: true },
      times: { type: 'string', short: 't', value: 'N', summary: 'how often', default: '1' },
      note: { type: 'string', value: 'TEXT', summary: 'a remark' },
      quiet: { type: 'boolean', short: 'q', summary: 'say nothing' },
    },
    async run({ values, positionals }, io) {
      seen.values = { ...values }
      seen.positionals = positionals
      await work(io)
      return EXIT.fine
    },
  })
  return [{ name: 'copy', summary: 'copy a file', load: async () => copy }]
}

async function run(
  argv: readonly string[],
  { commands = commandsThat(async () => {}), debug = false, signal = new AbortController().signal } = {},
) {
  const stdout = createSink()
  const stderr = createSink()
  const io: Io = { stdin: Readable.from([]), stdout, stderr, clock: createFakeClock(), signal, takeSignals: noSignals }
  const code = await runLine(argv, io, { commands, version: '1.2.3', debug })
  return { code, out: stdout.text(), err: stderr.text() }
}

describe('a command line', () => {
  test('passes values to the command, with defaults for missing ones', async () => {
    const seen: Seen = {}
    const commands = commandsThat(async () => {}, seen)
    expect(await run(['copy', 'a', '--into=b', '-q'], { commands })).toMatchObject({ code: 0, out: '', err: '' })
    expect(seen).toEqual({
      values: { into: 'b', times: '1', note: undefined, quiet: true },
      positionals: ['a'],
    })
  })

  test('treats a lone dash, and everything after --, as positionals', async () => {
    const seen: Seen = {}
    const commands = commandsThat(async () => {}, seen)
    await run(['copy', '-', '--into', 'b', '-t', '3'], { commands })
    expect(seen).toMatchObject({ positionals: ['-'], values: { times: '3' } })
    await run(['copy', '--into', 'b', '--', '--odd'], { commands })
    expect(seen.positionals).toEqual(['--odd'])
  })

  test('finds a command of two words by both words', async () => {
    const seen: Seen = {}
    const files = commandsThat(async () => {}, seen).map((entry) => ({ ...entry, name: 'file copy' }))
    const commands = [...files, ...files.map((entry) => ({ ...entry, name: 'file link' }))]
    expect(await run(['file', 'copy', 'a', '--into', 'b'], { commands })).toMatchObject({ code: 0, err: '' })
    expect(seen).toMatchObject({ positionals: ['a'], values: { into: 'b' } })
    expect((await run(['help', 'file', 'copy'], { commands })).out).toContain('ingot file copy FILE --into FILE')
    expect((await run(['file'], { commands })).err).toContain('"file" is several commands: file copy, file link')
    expect((await run(['file', 'cpoy'], { commands })).err).toContain('unknown command "file cpoy", did you mean')
    expect((await run(['copy'], { commands })).err).toContain('unknown command "copy"')
  })

  test.each([
    [['cpoy'], 'unknown command "cpoy", did you mean "copy"?'],
    [['--verison'], 'unknown option "--verison"'],
    [['copy', 'a', '--inot', 'b'], 'unknown option "--inot", did you mean "--into"?'],
    [['copy', 'a', '--into'], 'option "--into" needs a value: --into FILE'],
    [['copy', 'a', '--into', '--quiet'], 'option "--into" needs a value: --into FILE'],
    [['copy', 'a', '--into', 'b', '--quiet=yes'], 'option "--quiet" takes no value'],
    [['copy', '--into', 'b'], 'FILE is missing'],
    [['copy', 'a'], '--into FILE is missing'],
    [['copy', 'a', 'c', '--into', 'b'], '"c" is one argument too many'],
    [['copy', 'a', '--into', 'b', '--toString'], 'unknown option "--toString"'],
  ])('refuses %j with one sentence and exit code 2', async (argv, sentence) => {
    const { code, out, err } = await run(argv)
    expect(code).toBe(EXIT.usage)
    expect(out).toBe('')
    expect(err.split('\n')[0]).toBe(`USAGE_INVALID: ${sentence}`)
  })

  test('without a command shows the help and exits 2', async () => {
    const { code, err } = await run([])
    expect(code).toBe(EXIT.usage)
    expect(err).toContain('copy  copy a file')
  })

  test('shows an IngotError with its code, message and remedy, without a stack', async () => {
    const commands = commandsThat(async () => {
      throw new IngotError('STORE_CORRUPT', 'the file is odd')
    })
    const { code, err } = await run(['copy', 'a', '--into', 'b'], { commands })
    expect(code).toBe(EXIT.failed)
    expect(err).toBe(
      'STORE_CORRUPT: the file is odd\n  run ingot verify, then delete the damaged items and send them again, or restore a backup\n',
    )
  })

  test('shows the remedy for the operator, not the one for a client of the service', async () => {
    const commands = commandsThat(async () => {
      throw new IngotError('STORE_UNAVAILABLE', 'no connection')
    })
    const { err } = await run(['copy', 'a', '--into', 'b'], { commands })
    expect(err).toContain('check the address of the store (INGOT_STORE_URL)')
    expect(err).not.toContain('Retry-After')
  })

  test('shows the stacks of all causes in debug mode', async () => {
    const commands = commandsThat(async () => {
      throw new IngotError('STORE_CORRUPT', 'the file is odd', { cause: new Error('the deeper reason') })
    })
    const { err } = await run(['copy', 'a', '--into', 'b'], { commands, debug: true })
    expect(err).toContain('caused by Error: the deeper reason')
    expect(err).toContain('line.test.ts')
  })

  test.each(['CONFIG_INVALID', 'STORE_LOCKED'] as const)('%s exits 2, because nothing was started', async (code) => {
    const commands = commandsThat(async () => {
      throw new IngotError(code, 'no')
    })
    expect((await run(['copy', 'a', '--into', 'b'], { commands })).code).toBe(EXIT.usage)
  })

  test('exits 4 without a message when Ctrl-C caused the error', async () => {
    const controller = new AbortController()
    const commands = commandsThat(async (io) => {
      controller.abort(new Error('ended by SIGINT'))
      io.signal.throwIfAborted()
    })
    const result = await run(['copy', 'a', '--into', 'b'], { commands, signal: controller.signal })
    expect(result).toEqual({ code: EXIT.aborted, out: '', err: '' })
  })
})

describe('help', () => {
  test.each([[['--help']], [['-h']], [['help']]])('%j lists the commands on stdout', async (argv) => {
    const { code, out } = await run(argv)
    expect(code).toBe(EXIT.fine)
    expect(out).toContain('copy  copy a file')
  })

  test.each([[['copy', '--help']], [['help', 'copy']], [['copy', '-h', '--nonsense']]])(
    '%j explains the command',
    async (argv) => {
      const { code, out } = await run(argv)
      expect(code).toBe(EXIT.fine)
      for (const part of [
        'ingot copy FILE --into FILE [OPTIONS]',
        'Copies FILE somewhere.',
        'ingot copy a.txt --into b.txt',
        '--into FILE    where to (required)',
        '-t, --times N  how often (default: 1)',
      ]) {
        expect(out).toContain(part)
      }
    },
  )

  test.each(['--version', '-V', '-v'])('%s prints only the version', async (option) => {
    expect(await run([option])).toMatchObject({ code: 0, out: '1.2.3\n' })
  })

  test.each(COMMANDS.map((entry) => [entry.name, entry] as const))(
    '%s explains itself, with an example and every option, within 120 columns',
    async (name, entry) => {
      const command = await entry.load()
      const { out } = await run([...name.split(' '), '--help'], { commands: COMMANDS })
      expect(out).toContain(`ingot ${name}: ${entry.summary}`)
      expect(command.help.trim().length).toBeGreaterThan(80)
      expect(command.examples.length).toBeGreaterThan(0)
      for (const option of Object.keys(command.options)) expect(out).toContain(`--${option}`)
      expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120)
    },
  )
})
