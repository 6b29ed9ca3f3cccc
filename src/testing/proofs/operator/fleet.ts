/** Operators as processes, each behind a proxy of its own, on a real API server with fake Redis servers. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../../../drill/checkout.ts'
import { createKubeApi, type KubeApi } from '../../../kube/client/api.ts'
import { createKubeConnection } from '../../../kube/client/connection.ts'
import { DEFINITIONS } from '../../../kube/crd/definition.ts'
import { definitions } from '../../../operator/installed.ts'
import { REDIS_TOPOLOGIES } from '../../../operator/kinds/redis-topology.ts'
import { systemClock } from '../../../std/clock.ts'
import type { Scope } from '../../../std/scope.ts'
import { untilTrue } from '../../../std/until.ts'
import { startBareApiServer } from '../../kube/bare-api-server.ts'
import { createFakeTopology } from '../../kube/fake-topologies.ts'
import { freePorts } from '../../tcp/ports.ts'
import type { Write } from './judge.ts'
import { type RecordingProxy, startRecordingProxy } from './recording-proxy.ts'

export interface FleetOptions {
  /** Names of the operators. */
  readonly operators: readonly string[]
  readonly topologies: number
  /** Gets each write that an operator sends. */
  readonly record: (write: Write) => void
}

export interface Fleet {
  readonly api: KubeApi
  /** Port of the fake Redis servers. */
  readonly redisPort: number
  readonly proxies: ReadonlyMap<string, RecordingProxy>
  /** Processes that run, by name. `redis` has the fake servers. */
  readonly running: ReadonlyMap<string, ChildProcess>
  startOperator(name: string): void
  /** Resolves when the fake Redis servers listen. */
  startRedis(): Promise<void>
}

const soon = (): AbortSignal => AbortSignal.timeout(30_000)

/** Starts everything but the operators. Rejects if there is no program for an API server. */
export async function startFleet(scope: Scope, { operators, topologies, record }: FleetOptions): Promise<Fleet> {
  const server = await startBareApiServer()
  if ('absent' in server) throw new Error(server.absent)
  scope.defer(() => server[Symbol.asyncDispose]())
  const connection = createKubeConnection({ clock: systemClock, kubeconfig: server.kubeconfig })
  scope.defer(async () => connection[Symbol.dispose]())
  const api = createKubeApi(connection)
  for (const definition of definitions('0.1.0')) await api.apply(DEFINITIONS, definition, soon())
  const isServed = async (): Promise<boolean> => (await api.list(REDIS_TOPOLOGIES, {}, soon())).items.length === 0
  await untilTrue('the kind', isServed, { withinMs: 20_000 })
  const folder = mkdtempSync(join(tmpdir(), 'operator-fleet-'))
  scope.defer(async () => rmSync(folder, { recursive: true, force: true }))
  const proxies = new Map<string, RecordingProxy>()
  for (const name of operators) {
    const proxy = await startRecordingProxy(connection.server, name, record)
    scope.defer(() => proxy[Symbol.asyncDispose]())
    writeFileSync(join(folder, name), readFileSync(server.kubeconfig, 'utf8').replace(connection.server, proxy.url))
    proxies.set(name, proxy)
  }
  const [redisPort = 0] = await freePorts(1)
  const fleet = createFleet({ api, redisPort, proxies, folder })
  scope.defer(async () => {
    for (const child of fleet.running.values()) child.kill('SIGKILL')
  })
  await fleet.startRedis()
  for (let topology = 0; topology < topologies; topology++) await createFakeTopology(api, topology, redisPort)
  return fleet
}

interface Parts extends Pick<Fleet, 'api' | 'redisPort' | 'proxies'> {
  /** Has the kubeconfig of each operator. */
  readonly folder: string
}

function createFleet({ folder, ...parts }: Parts): Fleet {
  const running = new Map<string, ChildProcess>()
  return {
    ...parts,
    running,
    startOperator(name) {
      const env = { ...process.env, KUBECONFIG: join(folder, name), POD_NAME: name, INGOT_LISTEN: '127.0.0.1:0' }
      const command = ['--max-semi-space-size=4', '--max-old-space-size=128', join(ROOT, 'src', 'cli.ts'), 'operate']
      running.set(name, spawn(process.execPath, command, { env, stdio: 'ignore' }))
    },
    async startRedis() {
      const program = join(ROOT, 'src', 'testing', 'redis', 'fake-servers.ts')
      const fake = spawn(process.execPath, [program, String(parts.redisPort)], { stdio: ['ignore', 'pipe', 'inherit'] })
      running.set('redis', fake)
      await once(fake.stdout, 'data')
    },
  }
}
