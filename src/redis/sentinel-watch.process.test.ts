/** Tests a connection during failovers and outages of real Sentinels. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { createScope } from '../std/scope.ts'
import { silentLog } from '../telemetry/log.ts'
import { createFakeClock } from '../testing/clock.ts'
import { reportFault } from '../testing/fault-report.ts'
import { present } from '../testing/present.ts'
import { type RedisServers, startSentinel } from '../testing/redis/servers.ts'
import { createAnnouncers, createSentinelClient, DEFAULT_SETTINGS } from './client.ts'
import { createRedisConnection } from './deployment.ts'
import { parseRedisUrl, type Sentinel } from './redis-url.ts'
import { scriptBody, scriptOf } from './script.ts'
import { createSentinelWatch } from './sentinel-watch.ts'

const LIMIT_MS = 30_000
const WHERE = scriptOf('where', "return redis.call('INFO', 'server')")

let scope = createScope()
afterEach(async () => {
  await scope.close()
  scope = createScope()
})

async function serve(skip: (reason: string) => never): Promise<readonly [RedisServers, Sentinel]> {
  const servers = present(await startSentinel(), skip)
  scope.defer(async () => servers[Symbol.asyncDispose]())
  const topology = parseRedisUrl(servers.url)
  if (topology.kind !== 'sentinel') throw new Error(`not Sentinels: ${servers.url}`)
  return [servers, topology]
}

interface Seen {
  /** Port of the server that replies to commands; undefined while none does. */
  readonly where: () => Promise<number | undefined>
  /** Number of lost connections. */
  readonly losses: () => number
}

async function connect(topology: Sentinel): Promise<Seen> {
  let losses = 0
  const log = {
    ...silentLog,
    warn: (_: object, event: string) => void (losses += Number(event === 'redis connection lost')),
  }
  const connection = createRedisConnection(topology, { log, listeners: { message: () => {}, gap: () => {} } })
  scope.defer(async () => connection[Symbol.asyncDispose]())
  await connection.connect(AbortSignal.timeout(5_000))
  const read = (info: unknown): number => Number(/tcp_port:(\d+)/.exec(String(info))?.[1])
  const call = { script: WHERE, ...scriptBody(['any'], []), read, wanted: () => true }
  return { where: () => connection.run(call).catch(() => undefined), losses: () => losses }
}

/** Times at which the Sentinels announced a primary, in milliseconds. */
async function announcements(topology: Sentinel): Promise<readonly number[]> {
  const times: number[] = []
  for (const announcer of await createAnnouncers(topology, DEFAULT_SETTINGS)) {
    scope.defer(() => announcer.disconnect())
    announcer.on('message', () => times.push(performance.now()))
    await announcer.connect()
    await announcer.subscribe('+switch-master')
  }
  return times
}

async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + LIMIT_MS
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${LIMIT_MS} ms`)
    await sleep(20)
  }
}

const failover = (servers: RedisServers, { sentinels, masterName }: Sentinel): Promise<string> =>
  servers.cli(sentinels[0]?.port ?? 0, 'sentinel', 'failover', masterName)

test('the client notices a planned failover, which closes no connection, at its announcement', async ({ skip }) => {
  const [servers, topology] = await serve(skip)
  const { where, losses } = await connect(topology)
  const times = await announcements(topology)
  const old = await servers.master()
  expect(await where()).toBe(old)
  expect(await failover(servers, topology)).toBe('OK')
  await until('an answer of the successor', async () => ![old, undefined].includes(await where()))
  const delayMs = performance.now() - (times[0] ?? Number.NEGATIVE_INFINITY)
  expect(delayMs).toBeLessThan(2_000)
  if (!(await servers.cli(old, 'role')).startsWith('master'))
    throw new Error('inconclusive: the old primary was demoted')
  // the other Sentinels announce the same
  await until('every announcement', () => times.length >= topology.sentinels.length)
  await sleep(500)
  expect(losses()).toBe(1)
  const seen = `answers of the successor ${delayMs.toFixed(0)} ms after it was announced`
  reportFault({ fault: 'planned failover that closes no connection', on: 'redis, Sentinel', seen })
})

/** Disconnects the clients of the old primary when the leading Sentinel names the successor, before it announces it. */
async function handOver(servers: RedisServers, { sentinels, masterName }: Sentinel, old: number): Promise<number> {
  const named = `redis-cli -p ${sentinels[0]?.port} sentinel get-master-addr-by-name ${masterName} | tail -n 1`
  const lines = [
    `for i in $(seq 300); do new=$(${named}); [ "$new" = ${old} ] || break; sleep 0.05; done`,
    `redis-cli -p ${old} replicaof 127.0.0.1 $new >/dev/null`,
    `redis-cli -p ${old} client kill type normal >/dev/null`,
    'echo $new',
  ]
  return Number(await servers.exec('sh', '-c', lines.join('\n')))
}

test('a client that has found the successor by itself is not disconnected at the announcement', async ({ skip }) => {
  const [servers, topology] = await serve(skip)
  const { where, losses } = await connect(topology)
  const times = await announcements(topology)
  const old = await servers.master()
  expect(await failover(servers, topology)).toBe('OK')
  const successor = await handOver(servers, topology, old)
  await until('an answer of the successor', async () => (await where()) === successor)
  if (times.length === topology.sentinels.length) throw new Error('inconclusive: nothing is announced after this')
  const before = losses()
  await until('every announcement', () => times.length >= topology.sentinels.length)
  await sleep(500)
  expect(losses()).toBe(before)
})

test('a client that is querying the Sentinels is not reconnected, because ioredis would then end it', async ({
  skip,
}) => {
  const [, topology] = await serve(skip)
  const phase = { started: false }
  const client = await createSentinelClient(topology, DEFAULT_SETTINGS, phase)
  scope.defer(() => client.disconnect())
  client.on('error', () => undefined)
  await client.connect()
  phase.started = true
  const [announcers, clock] = [await createAnnouncers(topology, DEFAULT_SETTINGS), createFakeClock()]
  using watch = createSentinelWatch(client, topology.masterName, { announcers, log: silentLog, clock })
  watch.start()
  const seen: string[] = []
  for (const name of ['connecting', 'ready', 'end']) client.on(name, () => seen.push(name))
  client.once('connecting', () => {
    // a Sentinel cannot be made to announce at that moment
    announcers[0]?.emit('message', '+switch-master', `${topology.masterName} 127.0.0.1 1 127.0.0.1 2`)
    clock.block(10_001)
  })
  client.disconnect(true)
  await until('an outcome', () => seen.includes('ready') || seen.includes('end'))
  expect(seen).toEqual(['connecting', 'ready'])
})

/** Program that holds a connection until its standard input ends. Then it must end by itself. */
const PROGRAM = `
const [deployment, topology] = process.argv.slice(1)
const { createRedisConnection } = await import(deployment)
const { parseRedisUrl } = await import(topology)
const log = { debug() {}, info() {}, warn() {}, error() {} }
const connection = createRedisConnection(parseRedisUrl(process.env.URL), { log, listeners: { message() {}, gap() {} } })
await connection.connect(AbortSignal.timeout(5_000))
console.log('connected')
for await (const _ of process.stdin);
await connection[Symbol.asyncDispose]()
`

test('unavailable Sentinels cause no output on stderr, and nothing is left open at the end', async ({ skip }) => {
  const [servers, { sentinels }] = await serve(skip)
  const modules = ['./deployment.ts', './redis-url.ts'].map((path) => new URL(path, import.meta.url).href)
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', PROGRAM]
  const env = { ...process.env, URL: servers.url }
  const child = spawn(process.execPath, [...flags, ...modules], { env, stdio: 'pipe' })
  scope.defer(() => void child.kill('SIGKILL'))
  const stderr = text(child.stderr)
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  const old = await servers.master()
  for (const { port } of sentinels) await servers.signal(port, 'KILL')
  await sleep(2_000)
  for (const { port } of sentinels) await servers.restart(port)
  await servers.signal(old, 'KILL')
  await until('a successor', async () => (await servers.master()) !== old)
  await servers.signal(sentinels[0]?.port ?? 0, 'KILL')
  await sleep(1_000)
  const endedMs = performance.now()
  child.stdin.end()
  await once(child, 'exit', { signal: AbortSignal.timeout(LIMIT_MS) })
  expect(await stderr).toBe('')
  expect(child.exitCode).toBe(0)
  expect(performance.now() - endedMs).toBeLessThan(5_000)
})
