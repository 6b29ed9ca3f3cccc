/** Runs contenders in separate processes, so that none warms up or slows down another. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const here = import.meta.dirname
const root = join(here, '../../..')

/** Runs a script of this folder to its end. Resolves with its result, the last line of its output. */
export async function run(script: string, args: readonly string[]): Promise<Readonly<Record<string, number>>> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(here, script), ...args], { maxBuffer: 1 << 26 })
  // the scripts of this folder print only numbers
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, number>
}

/** Returns the rate per second. */
export const rate = (result: Readonly<Record<string, number>>, what: string): number =>
  (result[what] ?? Number.NaN) / (result['seconds'] ?? Number.NaN)

export interface Server {
  readonly url: string
  /** Returns the highest resident memory so far, in bytes (Linux: VmHWM). */
  peakMemory(): number
  stop(): Promise<void>
}

export interface Service extends Server {
  /** Resolves with the value of a metric without labels. */
  metric(name: string): Promise<number>
}

/** Options of `npm start`: they collect garbage a little earlier instead of growing the heap. */
const SERVICE_FLAGS = ['--max-semi-space-size=16', '--heap-growing-percent=60']

export type Env = Readonly<Record<string, string>>

export interface ServiceOptions {
  readonly env?: Env
  readonly failpoints?: readonly string[]
}

export async function startService(data: string, { env = {}, failpoints = [] }: ServiceOptions = {}): Promise<Service> {
  // the build that ships; only the sources have fail points
  const program =
    failpoints.length > 0 ? ['--conditions=failpoints', join(root, 'src/cli.ts')] : [join(root, 'dist/cli.js')]
  const server = await startServer([...SERVICE_FLAGS, ...profiling(), ...program, 'serve'], {
    INGOT_LISTEN: '127.0.0.1:0',
    INGOT_DATA: data,
    INGOT_LOG_LEVEL: 'warn',
    INGOT_FAILPOINTS: failpoints.join(','),
    ...env,
  })
  return {
    ...server,
    async metric(name) {
      const text = await (await fetch(`${server.url}/metrics`)).text()
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
    },
  }
}

/** If BENCH_PROFILE is set, every service writes a profile into that folder at its end. */
function profiling(): readonly string[] {
  const folder = process.env['BENCH_PROFILE']
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`]
}

/** Starts a program that prints its URL when it listens. Disposing ends it, and it ends with this process. */
export async function startServer(args: readonly string[], env: Env = {}): Promise<Server> {
  const child = spawn(process.execPath, ['--import', join(root, 'src/testing/parent-watchdog.ts'), ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  })
  const url = await firstUrl(child)
  return {
    url,
    peakMemory: () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1_024,
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve()
        child.once('exit', () => resolve())
        child.kill('SIGTERM')
      }),
  }
}

function firstUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const url = /http:\/\/\S+?(?=[,\s])/.exec(text)?.[0]
      if (url !== undefined) resolve(url)
    })
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
  })
}
