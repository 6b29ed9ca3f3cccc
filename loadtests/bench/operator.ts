/**
 * `npm run bench:operator [-- --topologies 50 --seconds 60]`: memory and CPU of an idle operator with many topologies, on
 * a real API server without nodes, beside a Node process that only loads the same modules. Prints a table and writes
 * out/bench/operator.json. The Redis servers and Sentinels are fakes, which respond to polls only.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createKubeApi } from '../../src/kube/client/api.ts'
import { createKubeConnection } from '../../src/kube/client/connection.ts'
import { DEFINITIONS } from '../../src/kube/crd/definition.ts'
import { definitions } from '../../src/operator/installed.ts'
import { REDIS_TOPOLOGIES } from '../../src/operator/kinds/redis-topology.ts'
import { systemClock } from '../../src/std/clock.ts'
import { untilTrue } from '../../src/std/until.ts'
import { startBareApiServer } from '../../src/testing/kube/bare-api-server.ts'
import { countReady, createFakeTopology, SERVERS } from '../../src/testing/kube/fake-topologies.ts'
import { freePorts } from '../../src/testing/tcp/ports.ts'

const OUT = fileURLToPath(new URL('../../out/bench/', import.meta.url))
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Ticks of a second in /proc/PID/stat. */
const TICKS = 100
const soon = (): AbortSignal => AbortSignal.timeout(30_000)

interface Figures {
  readonly residentMiB: number
  readonly peakMiB: number
  /** CPU time over wall time, in percent of a core. */
  readonly cpuPercent: number
}

function readFigures(pid: number): { readonly rss: number; readonly peak: number; readonly ticks: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kib = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1])
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return { rss: kib('VmRSS') / 1_024, peak: kib('VmHWM') / 1_024, ticks: Number(fields[11]) + Number(fields[12]) }
}

async function measure(pid: number, seconds: number): Promise<Figures> {
  const [before, beganMs] = [readFigures(pid), performance.now()]
  await systemClock.sleep(seconds * 1_000)
  const [after, endedMs] = [readFigures(pid), performance.now()]
  return {
    residentMiB: after.rss,
    peakMiB: after.peak,
    cpuPercent: ((after.ticks - before.ticks) / TICKS / ((endedMs - beganMs) / 1_000)) * 100,
  }
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, [...args], { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 2] })
}

/** The flags of the chart. */
const FLAGS = ['--max-semi-space-size=4', '--max-old-space-size=128']

/** A process that loads the operator's modules and waits. */
const IDLE = `await import(${JSON.stringify(`${ROOT}dist/operator/operator.js`)}); setInterval(() => {}, 1e6); console.log('idle')`

const { values } = parseArgs({
  options: { topologies: { type: 'string', default: '50' }, seconds: { type: 'string', default: '60' } },
})
const [topologies, seconds] = [Number(values.topologies), Number(values.seconds)]
const server = await startBareApiServer()
if ('absent' in server) throw new Error(server.absent)
const children: ChildProcess[] = []
try {
  const connection = createKubeConnection({ clock: systemClock, kubeconfig: server.kubeconfig })
  const api = createKubeApi(connection)
  for (const definition of definitions('0.1.0')) await api.apply(DEFINITIONS, definition, soon())
  const [port = 0] = await freePorts(1)
  const fake = start(['src/testing/redis/fake-servers.ts', String(port)])
  children.push(fake)
  if (fake.stdout !== null) await once(fake.stdout, 'data')
  const isServed = async (): Promise<boolean> => (await api.list(REDIS_TOPOLOGIES, {}, soon())).items.length === 0
  await untilTrue('the kind', isServed, { withinMs: 20_000 })
  for (let topology = 0; topology < topologies; topology++) await createFakeTopology(api, topology, port)
  const operator = start([...FLAGS, 'dist/cli.js', 'operate'], {
    KUBECONFIG: server.kubeconfig,
    INGOT_LISTEN: '127.0.0.1:0',
  })
  const idle = start(['--input-type=module', '-e', IDLE])
  children.push(operator, idle)
  operator.stdout?.resume()
  await untilTrue('all topologies to be ready', async () => (await countReady(api)) === topologies, {
    withinMs: 120_000,
  })
  await systemClock.sleep(30_000)
  const [busy, loaded] = await Promise.all([measure(operator.pid ?? 0, seconds), measure(idle.pid ?? 0, seconds)])
  const table = {
    operator: busy,
    'modules only': loaded,
    limit: { residentMiB: 190, peakMiB: Number.NaN, cpuPercent: 1 },
  }
  console.log(`${topologies} topologies, ${topologies * SERVERS} servers and Sentinels, ${seconds} s`)
  console.table(table)
  mkdirSync(OUT, { recursive: true })
  writeFileSync(`${OUT}operator.json`, `${JSON.stringify({ topologies, seconds, table }, null, 2)}\n`)
  connection[Symbol.dispose]()
} finally {
  for (const child of children) child.kill('SIGKILL')
  await server[Symbol.asyncDispose]()
}
