/** Processes that can be killed, stopped and ambushed, with the proof that it happened. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Breakpoint, ProxyLink, Replica } from '../../../drill/faults/fault.ts'
import type { FailpointName } from '../../../std/failpoint.ts'
import { type Attempt, until, untilTrue } from '../../../std/until.ts'
import { type Service, startService, within } from '../../service.ts'
import { startTcpProxy } from '../../tcp/proxy.ts'

export interface ReplicaOptions {
  readonly name: string
  readonly port: number
  /** For its fail points and whatever it keeps. */
  readonly folder: string
  /** Port of the store, which is reached through a wire of its own. */
  readonly storePort: number
  /** Its settings, given the port of that wire. */
  readonly env: (wirePort: number) => Readonly<Record<string, string>>
  readonly failpoints: readonly FailpointName[]
}

export interface RunningReplica extends Replica, AsyncDisposable {
  /** What it logged since its last start. */
  stderr(): string
}

/** Starts nothing but the wire to the store: `start` does. */
export async function createReplica(options: ReplicaOptions): Promise<RunningReplica> {
  const proxy = await startTcpProxy(options.storePort)
  const points = join(options.folder, 'points')
  mkdirSync(points, { recursive: true })
  const url = `http://127.0.0.1:${options.port}`
  let service: Service | undefined
  /** The last start, under way or over: what is closed meanwhile must end what comes of it. */
  let starting: Promise<Service> | undefined

  async function start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    starting = startService({
      data: options.folder,
      // the condition under which there are fail points; which are on is told by the setting
      failpoints: ['before-answer'],
      env: {
        INGOT_LISTEN: `127.0.0.1:${options.port}`,
        INGOT_FAILPOINTS: [...options.failpoints, points].join(','),
        ...options.env(proxy.port),
      },
    })
    service = await starting
  }
  const running = (): Service => {
    if (service === undefined) throw new Error(`${options.name} does not run`)
    return service
  }
  const wire: ProxyLink = { hold: (marker) => proxy.trap(marker, 'hold'), mute: (marker) => proxy.trap(marker, 'mute') }
  return {
    name: options.name,
    url,
    link: wire,
    stderr: () => running().stderr(),
    start,
    async kill() {
      const { signal: by } = await running().kill()
      return `process ${running().pid} ended by ${by}`
    },
    freeze: () => freeze(running().pid),
    thaw: () => thaw(running().pid),
    arm: (point, strike) => arm(points, { point, strike, service: running() }),
    async [Symbol.asyncDispose]() {
      // one that failed has ended by itself
      const started = await starting?.catch(() => undefined)
      await started?.kill()
      await proxy[Symbol.asyncDispose]()
    },
  }
}

/** SIGSTOP, and the kernel's word for it. */
export async function freeze(pid: number): Promise<string> {
  process.kill(pid, 'SIGSTOP')
  return stopped(pid, 1_000)
}

export function thaw(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT')
  } catch {
    // it is gone: there is nothing to go on
  }
}

function stopped(pid: number, withinMs: number): Promise<string> {
  const look = async (): Promise<Attempt<string>> => {
    const state = stateOf(pid)
    const seen = `process ${pid} is in state ${state}`
    return state?.startsWith('T') === true ? { value: seen } : { missing: `a stop: ${seen}` }
  }
  return until(look, { withinMs, everyMs: 2 })
}

function stateOf(pid: number): string | undefined {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return /^State:\s+(.+)$/m.exec(status)?.[1]
}

interface Armed {
  readonly point: string
  readonly strike: 'SIGKILL' | 'SIGSTOP'
  readonly service: Service
}

function arm(folder: string, { point, strike, service }: Armed): Breakpoint {
  const file = join(folder, point)
  rmSync(`${file}.met`, { force: true })
  writeFileSync(file, strike)
  return {
    async met(withinMs, signal) {
      const isMet = async (): Promise<boolean> => existsSync(`${file}.met`)
      await untilTrue(`somebody who comes by ${point}`, isMet, { withinMs, everyMs: 5, signal })
      if (strike === 'SIGSTOP') return `at ${point}: ${await stopped(service.pid, 2_000)}`
      const ending = await within(service.ended, 5_000, () => `${point} was met, and the process lives`)
      return `at ${point}: process ${service.pid} ended by ${ending.signal}`
    },
    disarm: () => rmSync(file, { force: true }),
  }
}
