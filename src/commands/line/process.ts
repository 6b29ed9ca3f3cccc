/** Connects a command to its process: streams, signals and the exit code. */
import { clientSettings } from '../../config/client.ts'
import { systemClock } from '../../std/clock.ts'
import { version } from '../../std/version.ts'
import { EXIT, type Io } from './command.ts'
import { createOutput, flushed, isReaderGone } from './output.ts'
import { createProcessSignals } from './signals.ts'

/** The program's arguments, and the settings that apply to every command. */
export interface ProcessContext {
  readonly argv: readonly string[]
  readonly version: string
  /** If true, failures are shown with their stack. */
  readonly debug: boolean
}

/** Runs `work`, then ends the process with its exit code. */
export async function runProcess(work: (io: Io, context: ProcessContext) => Promise<number>): Promise<never> {
  const stdout = createOutput(process.stdout)
  const stderr = createOutput(process.stderr)
  // a getter, because the first read of process.stdin would take the terminal from a command that inherits it
  const io: Io = {
    get stdin() {
      return process.stdin
    },
    stdout,
    stderr,
    clock: systemClock,
    ...createProcessSignals(systemClock),
  }
  const { debug } = clientSettings()
  const code = await work(io, { argv: process.argv.slice(2), version: version(), debug })
  const unwritten = await flushed(stdout)
  const lost = unwritten !== null && !isReaderGone(unwritten)
  if (lost) stderr.write(`OUTPUT_UNWRITABLE: cannot write to standard output: ${unwritten.message}\n`)
  await flushed(stderr)
  // exits explicitly, because a half-read stdin or a kept-alive socket would keep the process alive
  process.exit(lost && code === EXIT.fine ? EXIT.failed : code)
}
