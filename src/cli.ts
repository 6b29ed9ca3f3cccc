#!/usr/bin/env node
/** The process: its arguments, streams and signals in, an exit code out. */
import { readFileSync } from 'node:fs'
import { EXIT, type Io } from './cmd/command.ts'
import { runLine } from './cmd/line.ts'
import { COMMANDS } from './cmd/table.ts'
import { clientSettings } from './config/client.ts'
import { systemClock } from './std/clock.ts'

/** Aborts at the first signal; the second one ends the process without asking. */
function signalled(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(EXIT.aborted)
      controller.abort(new DOMException(`ended by ${name}`, 'AbortError'))
    })
  }
  return controller.signal
}

/** A reader that left (`ingot ... | head`) is no failure of ours; a disk that is full is one. */
function endOutput(failure: NodeJS.ErrnoException): void {
  if (failure.code === 'EPIPE') process.exit(EXIT.fine)
  process.stderr.write(`OUTPUT_UNWRITABLE: cannot write to standard output: ${failure.message}\n`)
  process.exit(EXIT.failed)
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '?'
}

const { stdin, stdout, stderr } = process
stdout.on('error', endOutput)
const io: Io = { stdin, stdout, stderr, clock: systemClock, signal: signalled() }
const { debug } = clientSettings()
const code = await runLine(process.argv.slice(2), io, { commands: COMMANDS, version: version(), debug })
// not by an empty event loop: a half-read stdin or a kept-alive socket would hold the process
stdout.write('', (failure) => (failure ? endOutput(failure) : process.exit(code)))
