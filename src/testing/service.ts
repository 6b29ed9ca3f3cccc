/**
 * Starts the real service in a separate process, on a free port and a folder of the test. A service ends with its scope
 * (`await using`), and in any case with the process of the test (parent-watchdog.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { OUT, ROOT } from '../drill/checkout.ts'
import type { FailpointName } from '../std/failpoint.ts'

export interface ServiceOptions {
  /** Folder of its embedded store. */
  readonly data: string
  /** Additional settings, such as INGOT_DRAIN. Of the environment of the test, only PATH reaches the service. */
  readonly env?: Readonly<Record<string, string>>
  /** Fail points to switch on. Default: none; then the service runs the shipped build. */
  readonly failpoints?: readonly FailpointName[]
  /** Program and arguments under which the service runs, such as strace. */
  readonly under?: readonly string[]
  /** Longest duration of the start, in milliseconds. Default: 30000. */
  readonly readyMs?: number
}

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ServiceProcess extends AsyncDisposable {
  readonly pid: number
  /** Resolves when the process has ended. */
  readonly ended: Promise<Ending>
  stdout(): string
  stderr(): string
  /** Sends SIGKILL. Resolves when the process has ended. */
  kill(): Promise<Ending>
  /** Sends SIGTERM. Rejects if the process has not ended after `withinMs`. Default: 10000. */
  stop(withinMs?: number): Promise<Ending>
}

export interface Service extends ServiceProcess {
  /** URL of the service, such as `http://127.0.0.1:40123`. */
  readonly url: string
}

const READY = /^ingot serves (http:\S+),/m

/** Starts the service and resolves when it listens. Rejects with its output if it ends before. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const service = spawnService(options)
  try {
    const url = await readyUrl(service, options.readyMs ?? 30_000)
    return Object.assign(service, { url })
  } catch (failure) {
    await service.kill()
    throw failure
  }
}

/** Starts the process and returns at once. `args` replaces the command. Default: `serve`. */
export function spawnService(options: ServiceOptions, args: readonly string[] = ['serve']): ServiceProcess {
  const [command = process.execPath, ...rest] = [...(options.under ?? []), ...nodeCommand(options, args)]
  const child = spawn(command, rest, {
    cwd: ROOT,
    env: environment(options),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  return processOf(child, options.under !== undefined)
}

function nodeCommand({ failpoints }: ServiceOptions, args: readonly string[]): string[] {
  const conditions = failpoints === undefined || failpoints.length === 0 ? [] : ['--conditions=failpoints']
  return [process.execPath, ...conditions, '--import', './src/testing/parent-watchdog.ts', 'src/cli.ts', ...args]
}

function environment({ data, env, failpoints }: ServiceOptions): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    INGOT_LISTEN: '127.0.0.1:0',
    INGOT_DATA: data,
    INGOT_LOG_LEVEL: 'warn',
    // it starts in half the time; its behavior is the same
    NODE_COMPILE_CACHE: join(OUT, 'compile-cache'),
    ...(failpoints === undefined ? {} : { INGOT_FAILPOINTS: failpoints.join(',') }),
    ...env,
  }
}

function processOf(child: ChildProcess, isWrapped: boolean): ServiceProcess {
  const printed = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => void (printed[name] += text))
  }
  const ended = new Promise<Ending>((resolve, reject) => {
    child.on('error', reject)
    // `close`, not `exit`, because then all output has been read
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  const kill = async (): Promise<Ending> => {
    if (!isWrapped) child.kill('SIGKILL')
    // closing the watchdog pipe ends a grandchild; then its wrapper ends too, with complete output
    child.stdio[3]?.destroy()
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
    return ended.finally(() => clearTimeout(timer))
  }
  return {
    pid: child.pid ?? 0,
    ended,
    stdout: () => printed.stdout,
    stderr: () => printed.stderr,
    kill,
    stop(withinMs = 10_000) {
      child.kill('SIGTERM')
      return within(ended, withinMs, () => `the service did not end within ${withinMs} ms of SIGTERM`)
    },
    async [Symbol.asyncDispose]() {
      await kill()
    },
  }
}

async function readyUrl(service: ServiceProcess, readyMs: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const poll = setInterval(() => {
    const [, url] = READY.exec(service.stdout()) ?? []
    if (url !== undefined) resolve(url)
  }, 5)
  service.ended.then(({ code, signal }) => {
    reject(new Error(`the service ended at its start (${signal ?? `exit ${code}`}): ${service.stderr()}`))
  }, reject)
  try {
    return await within(promise, readyMs, () => `the service was not ready within ${readyMs} ms: ${service.stderr()}`)
  } finally {
    clearInterval(poll)
  }
}

/** Settles like `promise`. Rejects with `message` after `ms` milliseconds. */
export async function within<T>(promise: Promise<T>, ms: number, message: () => string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(message())), ms)
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
