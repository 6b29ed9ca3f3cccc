/**
 * Runs programs that the drills need (kubectl, helm, docker, kind). One call starts one process, with limits for time
 * and output. If a program is missing, fails or takes too long, the error has the command line and the output.
 */
import { spawn } from 'node:child_process'

export interface CallOptions {
  readonly signal: AbortSignal
  /** Longest time of the call, in milliseconds. Default: 60000. */
  readonly timeoutMs?: number
  /** Text for the program's standard input. Default: none. */
  readonly input?: string | Buffer
  /** Exit codes that count as success, in addition to 0. */
  readonly allow?: readonly number[]
}

/** Resolves with the standard output of the program. */
export type Program = (args: readonly string[], options: CallOptions) => Promise<string>

const TIMEOUT_MS = 60_000
/** Maximum output. A history of a long run fits; endless output is stopped. */
const MAX_BYTES = 512 * 2 ** 20
/** Number of characters of the output that an error shows. */
const SHOWN = 2_000

/** Returns a function that runs the program. `remedy` is shown if the program is not installed. */
export function createProgram(name: string, remedy: string, first: readonly string[] = []): Program {
  return (rest, options) => call({ name, remedy, args: [...first, ...rest] }, options)
}

interface Command {
  readonly name: string
  readonly remedy: string
  readonly args: readonly string[]
}

function call(command: Command, options: CallOptions): Promise<string> {
  const { signal, timeoutMs = TIMEOUT_MS, input, allow = [] } = options
  signal.throwIfAborted()
  const line = `${command.name} ${command.args.join(' ')}`.slice(0, SHOWN)
  const child = spawn(command.name, command.args, { stdio: 'pipe' })
  const out: Buffer[] = []
  const err: Buffer[] = []
  let bytes = 0
  return new Promise<string>((resolve, reject) => {
    const end = (failure: unknown): void => {
      child.kill('SIGKILL')
      reject(failure)
    }
    const timer = setTimeout(() => end(new Error(`"${line}" took longer than ${timeoutMs} ms`)), timeoutMs)
    const aborted = (): void => end(signal.reason)
    signal.addEventListener('abort', aborted, { once: true })
    const take = (chunks: Buffer[]) => (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > MAX_BYTES) end(new Error(`"${line}" printed more than ${MAX_BYTES} bytes`))
    }
    child.stdout.on('data', take(out))
    child.stderr.on('data', take(err))
    // the exit code shows that a child ended without reading its input
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    child.once('error', (cause) => end(new Error(`${command.name} cannot be run: ${command.remedy}`, { cause })))
    child.once('close', (code, killedBy) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
      const printed = Buffer.concat(out).toString()
      if (code === 0 || (code !== null && allow.includes(code))) return resolve(printed)
      const why = `${Buffer.concat(err).toString()}${printed}`.trim().slice(-SHOWN)
      reject(new Error(`"${line}" ended with ${code ?? killedBy}: ${why}`))
    })
  })
}
