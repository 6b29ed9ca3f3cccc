/**
 * Runs the external store that does not enforce uniqueness (examples/legacy-backend) as a process that can be killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../../drill/checkout.ts'
import { readAuditLog } from '../../../drill/final-store/audit-log.ts'
import { reap } from '../../locks/processes.ts'
import { within } from '../../service.ts'
import type { TortureStore } from './store.ts'

export interface LegacyOptions {
  readonly folder: string
  readonly port: number
  readonly latencyMs: number
  readonly fencing: 'on' | 'off'
}

const EXAMPLE = join(ROOT, 'examples', 'legacy-backend')
const START_MS = 10_000
/** Longest wait of a replica for a response. */
const TIMEOUT = '1s'

/** Resolves with the running store. Rejects with an Error if it does not start. */
export async function startLegacyStore(options: LegacyOptions): Promise<TortureStore> {
  const { folder, port, latencyMs, fencing } = options
  const mapping = join(folder, 'mapping.json')
  // the mapping of the example with a shorter timeout
  const shipped = JSON.parse(readFileSync(join(EXAMPLE, 'mapping.json'), 'utf8')) as object
  writeFileSync(mapping, JSON.stringify({ ...shipped, fencing: fencing === 'on', timeout: TIMEOUT }))
  const data = join(folder, 'legacy')
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    if (isRunning()) return
    const settings = { listen: `127.0.0.1:${port}`, latency: latencyMs, fencing, data }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
    child = spawn(
      process.execPath,
      ['--import', './src/testing/parent-watchdog.ts', join(EXAMPLE, 'server.mjs'), ...args],
      {
        cwd: ROOT,
        stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
      },
    )
    const greeting = child.stdout === null ? Promise.resolve() : once(child.stdout, 'data')
    await within(Promise.race([greeting, failed(child)]), START_MS, () => 'the legacy backend did not start')
  }
  const isRunning = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null

  await start()
  return {
    port,
    async kill() {
      if (child === undefined || !isRunning()) throw new Error('the legacy backend does not run')
      await reap(child)
    },
    async proveKilled() {
      if (child?.signalCode !== 'SIGKILL') throw new Error('the legacy backend was not ended by SIGKILL')
      return `process ${child.pid} ended by ${child.signalCode}`
    },
    start,
    env: (proxyPort) => ({ INGOT_STORE_URL: `http://127.0.0.1:${proxyPort}`, INGOT_STORE_MAPPING: mapping }),
    marker: (bytes) => Buffer.from(Buffer.from(bytes).toString('base64')),
    deletes: false,
    faults: [],
    read: (signal) => readAuditLog(join(data, 'audit.ndjson'), fencing, signal),
    checkUrl: `audit:${join(data, 'audit.ndjson')}`,
    async [Symbol.asyncDispose]() {
      if (child !== undefined) await reap(child)
    },
  }
}

async function failed(child: ChildProcess): Promise<never> {
  const [code] = (await once(child, 'exit')) as [number | null]
  throw new Error(`the legacy backend ended at its start: ${code}`)
}
