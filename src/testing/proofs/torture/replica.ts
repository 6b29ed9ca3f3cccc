/** Replicas of the service as processes that faults can kill, stop and break at a fail point. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { armBreakpoint } from '../../../drill/targets/processes/breakpoint.ts'
import type { ProxyLink, Replica } from '../../../drill/targets/processes/parts.ts'
import { freezeProcess, proveFrozen, thawProcess } from '../../../drill/targets/processes/process.ts'
import type { FailpointName } from '../../../std/failpoint.ts'
import { type Ending, type Service, startService } from '../../service.ts'
import { startTcpProxy } from '../../tcp/proxy.ts'

export interface ReplicaOptions {
  readonly name: string
  readonly port: number
  /** Folder for its breakpoints and its embedded store. */
  readonly folder: string
  /** Port of the store. Each replica connects through a proxy of its own. */
  readonly storePort: number
  /** Returns the settings of the replica, given the port of that proxy. */
  readonly env: (proxyPort: number) => Readonly<Record<string, string>>
  readonly failpoints: readonly FailpointName[]
}

/** A replica with its proxy to the store. */
export interface RunningReplica extends Replica, AsyncDisposable {
  /** Returns its log since its last start. */
  stderr(): string
}

/** Starts the proxy to the store. `start` starts the replica. */
export async function createReplica(options: ReplicaOptions): Promise<RunningReplica> {
  const { name } = options
  const proxy = await startTcpProxy(options.storePort)
  const points = join(options.folder, 'points')
  mkdirSync(points, { recursive: true })
  const url = `http://127.0.0.1:${options.port}`
  let service: Service | undefined
  let ending: Ending | undefined
  /** The last start. Disposal during a start must end its service. */
  let starting: Promise<Service> | undefined

  async function start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (service !== undefined && ending === undefined) return
    starting = startService({
      data: options.folder,
      // turns fail points on; INGOT_FAILPOINTS names the active ones
      failpoints: ['before-answer'],
      env: {
        INGOT_LISTEN: `127.0.0.1:${options.port}`,
        INGOT_FAILPOINTS: [...options.failpoints, points].join(','),
        ...options.env(proxy.port),
      },
    })
    service = await starting
    ending = undefined
    void service.ended.then((end) => {
      ending = end
    })
  }
  const running = (): Service => {
    if (service === undefined || ending !== undefined) throw new Error(`${name} does not run`)
    return service
  }
  const link: ProxyLink = {
    hold: (marker) => proxy.catchPacket(marker, 'hold'),
    mute: (marker) => proxy.catchPacket(marker, 'mute'),
  }
  return {
    name,
    url,
    link,
    stderr: () => service?.stderr() ?? '',
    start,
    async kill() {
      await running().kill()
    },
    async proveKilled() {
      if (ending?.signal !== 'SIGKILL') throw new Error(`${name} was not ended by SIGKILL`)
      return `${name}: process ${service?.pid} ended by ${ending.signal}`
    },
    async freeze() {
      freezeProcess(running().pid)
    },
    async proveFrozen() {
      return `${name}: ${await proveFrozen(running().pid)}`
    },
    async thaw() {
      if (service !== undefined && ending === undefined) thawProcess(service.pid)
    },
    arm: (point, signalName) =>
      armBreakpoint({
        folder: points,
        point,
        signalName,
        pid: running().pid,
        endedBy: () => ending?.signal ?? undefined,
      }),
    async [Symbol.asyncDispose]() {
      // a start that failed has ended its service
      const started = await starting?.catch(() => undefined)
      await started?.kill()
      await proxy[Symbol.asyncDispose]()
    },
  }
}
