/**
 * Kills and stops the leader of three operators at random moments, while topologies change all the time, and judges every
 * write that reached the API server.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../../../drill/checkout.ts'
import { createKubeApi, type KubeApi } from '../../../kube/client/api.ts'
import { createKubeConnection } from '../../../kube/client/connection.ts'
import { DEFINITIONS } from '../../../kube/crd/definition.ts'
import { LEASES } from '../../../kube/runtime/leadership-term.ts'
import { definitions } from '../../../operator/installed.ts'
import { REDIS_TOPOLOGIES } from '../../../operator/kinds/redis-topology.ts'
import { systemClock } from '../../../std/clock.ts'
import { createScope, type Scope } from '../../../std/scope.ts'
import { untilTrue } from '../../../std/until.ts'
import { startBareApiServer } from '../../kube/bare-api-server.ts'
import { createFakeTopology } from '../../kube/fake-topologies.ts'
import { freePorts } from '../../tcp/ports.ts'
import { judgeWrites, type Verdict, type Write } from './judge.ts'
import { startRecordingProxy } from './recording-proxy.ts'

export interface KillsOptions {
  readonly kills: number
  readonly random: () => number
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

const TOPOLOGIES = 5
/** Time between two changes of a topology, in milliseconds. */
const CHURN_MS = 100
/** Longer than a Lease, so that another process leads when the stopped one goes on. */
const STOPPED_MS = 18_000
const OPERATORS = ['one', 'two', 'three']
const LEASE = { namespace: 'default', name: 'ingot-operator' }
const soon = (): AbortSignal => AbortSignal.timeout(30_000)

interface Fleet {
  readonly api: KubeApi
  readonly kubeconfigs: ReadonlyMap<string, string>
  readonly running: Map<string, ChildProcess>
}

/** Rejects if there is no program for an API server. */
export async function runKills(options: KillsOptions): Promise<Verdict> {
  await using scope = createScope()
  const writes: Write[] = []
  const fleet = await startFleet(scope, writes)
  for (const name of OPERATORS) startOperator(fleet, name)
  scope.defer(async () => {
    for (const child of fleet.running.values()) child.kill('SIGKILL')
  })
  const churn = new AbortController()
  const churning = keepChanging(fleet.api, AbortSignal.any([churn.signal, options.signal]))
  for (let kill = 1; kill <= options.kills; kill++) await strike(fleet, kill, options)
  churn.abort()
  await churning
  return judgeWrites(writes)
}

async function startFleet(scope: Scope, writes: Write[]): Promise<Fleet> {
  const server = await startBareApiServer()
  if ('absent' in server) throw new Error(server.absent)
  scope.defer(() => server[Symbol.asyncDispose]())
  const connection = createKubeConnection({ clock: systemClock, kubeconfig: server.kubeconfig })
  scope.defer(async () => connection[Symbol.dispose]())
  const api = createKubeApi(connection)
  for (const definition of definitions('0.1.0')) await api.apply(DEFINITIONS, definition, soon())
  const isServed = async (): Promise<boolean> => (await api.list(REDIS_TOPOLOGIES, {}, soon())).items.length === 0
  await untilTrue('the kind', isServed, { withinMs: 20_000 })
  await startFakeRedis(scope, api)
  const folder = mkdtempSync(join(tmpdir(), 'operator-kills-'))
  scope.defer(async () => rmSync(folder, { recursive: true, force: true }))
  const kubeconfigs = new Map<string, string>()
  for (const name of OPERATORS) {
    const proxy = await startRecordingProxy(connection.server, name, (write) => writes.push(write))
    scope.defer(() => proxy[Symbol.asyncDispose]())
    const file = join(folder, name)
    writeFileSync(file, readFileSync(server.kubeconfig, 'utf8').replace(connection.server, proxy.url))
    kubeconfigs.set(name, file)
  }
  return { api, kubeconfigs, running: new Map() }
}

async function startFakeRedis(scope: Scope, api: KubeApi): Promise<void> {
  const [port = 0] = await freePorts(1)
  const program = join(ROOT, 'src', 'testing', 'redis', 'fake-servers.ts')
  const fake = spawn(process.execPath, [program, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
  scope.defer(async () => void fake.kill('SIGKILL'))
  await once(fake.stdout, 'data')
  for (let topology = 0; topology < TOPOLOGIES; topology++) await createFakeTopology(api, topology, port)
}

function startOperator({ kubeconfigs, running }: Fleet, name: string): void {
  const env = { ...process.env, KUBECONFIG: kubeconfigs.get(name), POD_NAME: name, INGOT_LISTEN: '127.0.0.1:0' }
  const child = spawn(process.execPath, [join(ROOT, 'src', 'cli.ts'), 'operate'], { env, stdio: 'ignore' })
  running.set(name, child)
}

async function leaderOf({ api }: Fleet): Promise<string> {
  const lease = await api.get(LEASES, LEASE, soon())
  return /"holderIdentity":"([^_"]*)_/.exec(JSON.stringify(lease?.['spec'] ?? {}))?.[1] ?? ''
}

/** Kills the leader and starts it again, or stops it until another one leads, each third time. */
async function strike(fleet: Fleet, kill: number, { random, say, signal }: KillsOptions): Promise<void> {
  let leader = ''
  const leads = async (): Promise<boolean> => (leader = await leaderOf(fleet)) !== ''
  await untilTrue('a leader', leads, { withinMs: 60_000, everyMs: 100 })
  await systemClock.sleep(500 + random() * 3_000, signal)
  const child = fleet.running.get(leader)
  const isStop = kill % 3 === 0
  say(`${kill}: ${isStop ? 'stopping' : 'killing'} ${leader}`)
  child?.kill(isStop ? 'SIGSTOP' : 'SIGKILL')
  if (isStop) await systemClock.sleep(STOPPED_MS, signal)
  await untilTrue('another leader', async () => (await leaderOf(fleet)) !== leader, { withinMs: 60_000, everyMs: 100 })
  if (isStop) child?.kill('SIGCONT')
  else startOperator(fleet, leader)
}

/** Changes the spec of one topology after the other, so that the leader has a status to write all the time. */
async function keepChanging(api: KubeApi, signal: AbortSignal): Promise<void> {
  for (let turn = 0; !signal.aborted; turn++) {
    const at = { namespace: 'default', name: `t${turn % TOPOLOGIES}` }
    const spec = { paused: Math.floor(turn / TOPOLOGIES) % 2 === 0 }
    await api.patch(REDIS_TOPOLOGIES, at, { spec }, signal).catch(() => undefined)
    await systemClock.sleep(CHURN_MS, signal).catch(() => undefined)
  }
}
