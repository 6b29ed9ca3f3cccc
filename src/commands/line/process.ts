/** Connects a command to its process: streams, signals and the exit code. */
import { clientSettings } from '../../config/client.ts'
import { systemClock } from '../../std/clock.ts'
import { EXIT, type ExitCode, type Io } from './command.ts'
import { createOutput, flushed, isReaderGone } from './output.ts'
import { version } from './version.ts'

/**
 * One Ctrl-C may arrive twice: the terminal signals every process of its foreground group, and a parent such as npm
 * forwards its own signal. Repetitions within this time count as the same key press, in milliseconds.
 */
const SAME_PRESS_MS = 500

/** Returns a signal that aborts at the first SIGINT or SIGTERM. The next one ends the process at once. */
function signalled(): AbortSignal {
  const controller = new AbortController()
  let firstMs = 0
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      const nowMs = systemClock.monotonicMs()
      if (!controller.signal.aborted) {
        firstMs = nowMs
        controller.abort(new DOMException(`ended by ${name}`, 'AbortError'))
      } else if (nowMs - firstMs > SAME_PRESS_MS) process.exit(EXIT.aborted)
    })
  }
  return controller.signal
}

/** The program's arguments, and the settings that apply to every command. */
export interface ProcessContext {
  readonly argv: readonly string[]
  readonly version: string
  /** If true, failures are shown with their stack. */
  readonly debug: boolean
}

/** Runs `work`, then ends the process with its exit code. */
export async function runProcess(work: (io: Io, context: ProcessContext) => Promise<ExitCode>): Promise<never> {
  const stdout = createOutput(process.stdout)
  const stderr = createOutput(process.stderr)
  const io: Io = { stdin: process.stdin, stdout, stderr, clock: systemClock, signal: signalled() }
  const { debug } = clientSettings()
  const code = await work(io, { argv: process.argv.slice(2), version: version(), debug })
  const unwritten = await flushed(stdout)
  const lost = unwritten !== null && !isReaderGone(unwritten)
  if (lost) stderr.write(`OUTPUT_UNWRITABLE: cannot write to standard output: ${unwritten.message}\n`)
  await flushed(stderr)
  // exits explicitly, because a half-read stdin or a kept-alive socket would keep the process alive
  process.exit(lost && code === EXIT.fine ? EXIT.failed : code)
}
