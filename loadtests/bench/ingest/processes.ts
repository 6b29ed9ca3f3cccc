/** Contenders run as processes of their own, so that none warms up or slows down another. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const here = import.meta.dirname
const root = join(here, '../../..')

/** Runs a script of this folder to its end; its last line of output is its result. */
export async function run(script: string, args: readonly string[]): Promise<Record<string, number>> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(here, script), ...args], { maxBuffer: 1 << 26 })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the scripts of this folder print numbers alone
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, number>
}

export interface Service {
  readonly url: string
  /** Value of a metric without labels. */
  metric(name: string): Promise<number>
  /** Highest resident memory so far, bytes (Linux: VmHWM). */
  peakMemory(): number
  stop(): Promise<void>
}

/** As `npm start` has them: they keep the heap from growing where collecting a little sooner would do. */
const SERVICE_FLAGS = ['--max-semi-space-size=16', '--heap-growing-percent=60']

export async function startService(data: string, failpoints: string[] = []): Promise<Service> {
  // the build, as it ships; fail points exist in the source alone
  const program =
    failpoints.length > 0 ? ['--conditions=failpoints', join(root, 'src/cli.ts')] : [join(root, 'dist/cli.js')]
  const child = spawn(process.execPath, [...SERVICE_FLAGS, ...program, 'serve'], {
    env: {
      ...process.env,
      INGOT_LISTEN: '127.0.0.1:0',
      INGOT_DATA: data,
      INGOT_LOG_LEVEL: 'warn',
      INGOT_FAILPOINTS: failpoints.join(','),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await firstUrl(child)
  return {
    url,
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text()
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
    },
    peakMemory: () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1_024,
    stop: () =>
      new Promise((resolve) => {
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
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}`)))
  })
}
