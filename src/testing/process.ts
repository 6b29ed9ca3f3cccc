/** Runs commands of `ingot` in separate processes, with real signals, streams and files. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { afterAll } from 'vitest'
import { ROOT } from '../drill/checkout.ts'

const CLI = join(ROOT, 'src', 'cli.ts')

type Child = ChildProcessByStdio<Writable, Readable, Readable>

const children = new Set<Child>()

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Child {
  const child = spawn(process.execPath, [CLI, ...args], { env: { ...process.env, ...env }, stdio: 'pipe' })
  children.add(child)
  child.once('exit', () => children.delete(child))
  // its exit code shows that its reader has closed
  child.stdin.on('error', () => {})
  return child
}

/** Ends processes that a failed test has left. Test files that start processes call it once. */
export function endProcesses(): void {
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL')
  })
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly stdin: Writable
  readonly finished: Promise<Finished>
  /** Output on stdout so far. */
  stdout(): string
  /** Output on stderr so far. */
  stderr(): string
  kill(signal: NodeJS.Signals): void
}

/** Starts a command with open standard input. */
export function startIngot(args: readonly string[], env?: Readonly<Record<string, string>>): Running {
  const child = start(args, env)
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  const finished = exitCodeOf(child).then((code) => ({ code, stdout: stdout(), stderr: stderr() }))
  return { stdin: child.stdin, finished, stdout, stderr, kill: (signal) => void child.kill(signal) }
}

/** Runs a command to its end, with empty standard input. */
export async function runIngot(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Finished> {
  const running = startIngot(args, env)
  running.stdin.end()
  return running.finished
}

/** Exit code; null if a signal ended it. */
function exitCodeOf(child: Child): Promise<number | null> {
  return new Promise((resolve) => child.once('close', (code) => resolve(code)))
}

function collect(stream: Readable): () => string {
  let text = ''
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  return () => text
}
