/**
 * Runs in a pod of the release, in the image of ingot. Writes numbers at a fixed rate through the connection that the
 * service uses, and checks twice a second which servers would accept a write. By HTTP on loopback, /report?since=MS
 * returns figures since then, and /verify?since=MS reads back every acknowledged write since a minute before that.
 *
 * cluster.ts replaces the imports below by those of the image.
 */
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSingleClient, DEFAULT_SETTINGS } from '../../../../src/redis/client.ts'
import { createRedisConnection } from '../../../../src/redis/deployment.ts'
import { parseRedisUrl } from '../../../../src/redis/redis-url.ts'
import { type Script, scriptBody, scriptOf } from '../../../../src/redis/script.ts'
import { parseInfo } from '../../../../src/redis/topology/info.ts'
import { silentLog } from '../../../../src/telemetry/log.ts'

interface Attempt {
  readonly sent: number
  done: number
  /** `OK`, `PENDING` without a response, or the end of the error message. */
  outcome: string
}

export interface Report {
  readonly sent: number
  readonly acknowledged: number
  readonly failed: Readonly<Record<string, number>>
  /** Longest time between two acknowledged writes, milliseconds. */
  readonly stallMs: number
  readonly lastGoodMsAgo: number
  /** Greatest number of servers that would have accepted a write to the same key at the same time. */
  readonly writable: number
}

export interface Verdict {
  readonly acknowledged: number
  /** Their numbers and when they were sent. */
  readonly lost: readonly (readonly [number: number, sent: number])[]
}

const RATE = 50
/** Writes from before a fault are verified too, because it may lose writes that were acknowledged long before. */
const BEFORE_MS = 60_000
const SET = scriptOf('set', "return redis.call('set', KEYS[1], ARGV[1])")
const GET = scriptOf('get', "return redis.call('get', KEYS[1])")
const topology = parseRedisUrl(process.env['INGOT_LOCK_URL'] ?? '')
const attempts: Attempt[] = []
const samples: { readonly at: number; readonly writable: number }[] = []
const connection = createRedisConnection(topology, {
  log: silentLog,
  listeners: { message: () => undefined, gap: () => undefined },
})

async function connected(): Promise<void> {
  for (let left = 120; ; left--) {
    try {
      await connection.connect(AbortSignal.timeout(5_000))
      return
    } catch (error) {
      if (left === 0) throw error
      await sleep(1_000)
    }
  }
}

const run = (script: Script, number: number, args: readonly string[]): Promise<string> =>
  connection.run({
    script,
    ...scriptBody([`ingot:written:${number}`], args),
    read: String,
    wanted: () => true,
  })

async function write(number: number): Promise<void> {
  const attempt: Attempt = { sent: Date.now(), done: 0, outcome: 'PENDING' }
  attempts[number] = attempt
  try {
    await run(SET, number, [String(number)])
    attempt.outcome = 'OK'
  } catch (error) {
    attempt.outcome = error instanceof Error ? error.message.slice(-70) : 'unknown'
  }
  attempt.done = Date.now()
}

// --- servers that accept writes -------------------------------------------------------------------------------------

const hosts = (process.env['REDIS_HOSTS'] ?? '').split(',')
const servers = hosts.map(async (host) => {
  const target = { endpoint: { host, port: 6379 }, database: 0, credentials: topology.credentials }
  const tls = topology.tls === undefined ? {} : { tls: topology.tls }
  const client = await createSingleClient({ ...target, ...tls }, DEFAULT_SETTINGS, { started: true })
  client.on('error', () => undefined)
  client.connect().catch(() => undefined)
  return { host, client }
})

/** Resolves with the first slots of the ranges for which this server accepts writes. Without a cluster there is one range. */
async function writableSlots(server: (typeof servers)[number]): Promise<readonly number[]> {
  const { host, client } = await server
  try {
    const facts = parseInfo(await client.info())
    if (facts.get('role') !== 'master' || facts.get('min_slaves_good_slaves') === '0') return []
    if (facts.get('cluster_enabled') !== '1') return [0]
    if (parseInfo(await client.cluster('INFO')).get('cluster_state') !== 'ok') return []
    const ranges = await client.cluster('SLOTS')
    return ranges.flatMap(([first, , owner]) => (owner?.[0] === host ? [first] : []))
  } catch {
    return [] // a server that does not respond takes no writes
  }
}

async function sampleWritable(): Promise<void> {
  const at = Date.now()
  const owned = (await Promise.all(servers.map(writableSlots))).flat()
  const most = Math.max(0, ...owned.map((slot) => owned.filter((other) => other === slot).length))
  samples.push({ at, writable: most })
}

// --- requests --------------------------------------------------------------------------------------------------------

function report(since: number): Report {
  const now = Date.now()
  const seen = attempts.filter(({ sent, outcome }) => sent >= since && outcome !== 'PENDING')
  const good = seen.filter(({ outcome }) => outcome === 'OK').map(({ done }) => done)
  const times = [since, ...good.toSorted((a, b) => a - b), now]
  const bad = Object.groupBy(
    seen.filter(({ outcome }) => outcome !== 'OK'),
    ({ outcome }) => outcome,
  )
  return {
    sent: seen.length,
    acknowledged: good.length,
    failed: Object.fromEntries(Object.entries(bad).map(([outcome, list = []]) => [outcome, list.length])),
    stallMs: Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? time))),
    lastGoodMsAgo: now - (times.at(-2) ?? since),
    writable: Math.max(0, ...samples.filter(({ at }) => at >= since).map(({ writable }) => writable)),
  }
}

async function verify(since: number): Promise<Verdict> {
  const acknowledged = attempts.flatMap(({ outcome, sent }, number) =>
    outcome === 'OK' && sent > since - BEFORE_MS ? [number] : [],
  )
  const lost: [number, number][] = []
  for (let from = 0; from < acknowledged.length; from += 50) {
    const part = acknowledged.slice(from, from + 50)
    const values = await Promise.all(part.map((number) => run(GET, number, [])))
    const missing = part.filter((number, index) => values[index] !== String(number))
    lost.push(...missing.map((number): [number, number] => [number, attempts[number]?.sent ?? 0]))
  }
  return { acknowledged: acknowledged.length, lost }
}

function reply(url: URL): Promise<unknown> {
  const since = Number(url.searchParams.get('since') ?? '0')
  return url.pathname === '/verify' ? verify(since) : Promise.resolve(report(since))
}

await connected()
setInterval(() => void write(attempts.length), 1_000 / RATE)
setInterval(() => void sampleWritable(), 500)
createServer((request, response) => {
  reply(new URL(request.url ?? '/', 'http://writer')).then(
    (body) => response.end(JSON.stringify(body)),
    (error: unknown) => response.writeHead(500).end(String(error)),
  )
}).listen(9090, '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
