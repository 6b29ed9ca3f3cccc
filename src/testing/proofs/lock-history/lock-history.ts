/**
 * Records a history of locks under faults: workers in several processes acquire locks on real servers and write to a
 * register that compares fences, a prober records which servers accept writes, and faults are injected in the order of
 * the seed. The verdict comes from the history and the register alone.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fencesRiseInTime } from '../../../drill/checkers/fence-history.ts'
import { fencesRise } from '../../../drill/checkers/locks.ts'
import { twoPrimariesEnd } from '../../../drill/checkers/two-primaries.ts'
import { type Checker, judge, type Verdict } from '../../../drill/checkers/verdict.ts'
import { createRecorder, type Entry, type Event, readHistory } from '../../../drill/history.ts'
import { run } from '../../../drill/process-run.ts'
import { readSqliteRegister } from '../../../drill/workloads/sqlite-register.ts'
import { epochOfFence } from '../../../lock/fencing/fence-store.ts'
import { parseInfo } from '../../../redis/topology/info.ts'
import { systemClock } from '../../../std/clock.ts'
import { createRandom } from '../../../std/random.ts'
import { createScope, type Scope } from '../../../std/scope.ts'
import { startPostgres } from '../../postgres/server.ts'
import { needed } from '../../present.ts'
import { type SentinelServers, startSentinel } from '../../redis/servers.ts'
import { chosen } from '../torture/torture.ts'
import { type FaultParts, faultsOf, untilHealthy } from './faults.ts'
import { SLACK_MS, startProber } from './prober.ts'
import { startWorkers } from './workers.ts'

/** Settings of a lock history. */
export interface LockHistoryOptions {
  readonly seed: number
  readonly trafficMs: number
  /** An image of Redis or Valkey (with a tag), or a redis-server on this machine. */
  readonly redis: string
  /**
   * Where fences are stored. `none` leaves fences to Redis, which loses them. It is a negative control, which must be
   * violated.
   */
  readonly fences: 'sqlite' | 'postgres' | 'none'
  /** Longest allowed time for which two servers both accept writes, in milliseconds. */
  readonly maxTwoPrimariesMs: number
  /** Names of faults. Default: all. */
  readonly faults?: readonly string[] | undefined
  /** Returns the folder for a version of the server. The folder is emptied first. */
  readonly folderOf: (version: string) => string
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

/** Result of a lock history. */
export interface LockHistoryResult {
  readonly verdict: Verdict
  readonly folder: string
  readonly version: string
}

const PROCESSES = 8
const WORKERS = 30
const LOCK_TTL_MS = 1_000
const QUIET_MS = 1_500
const QUEUED = ['queued-1', 'queued-2', 'queued-3'] as const
const POLLED = ['polled-1', 'polled-2', 'polled-3'] as const
/** Minimum number of grants in a valid run, per minute. */
const MIN_GRANTS_PER_MINUTE = 200
/** Time for which workers continue after the recovery, in milliseconds. */
const AFTER_MS = 2_000

/** Resolves with the verdict. Rejects with the signal's reason, or with the reason why the run cannot start. */
export async function lockHistory(options: LockHistoryOptions): Promise<LockHistoryResult> {
  await using scope = createScope()
  const lifeSeconds = Math.ceil(options.trafficMs / 1_000) + 600
  const { redis } = options
  const place = redis.includes(':') ? { image: redis, lifeSeconds } : { program: redis }
  const servers = await needed(scope, 'Redis', startSentinel(place))
  options.signal.throwIfAborted()
  const version = await versionOf(servers)
  const folder = options.folderOf(version)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  options.say(`${version}: history and verdict in ${folder}`)
  const [historyFile, registerFile] = [join(folder, 'history.ndjson'), join(folder, 'register.sqlite')]
  await perform(options, { scope, servers, folder, historyFile, registerFile })
  const { events } = readHistory(historyFile)
  const verdict = judge(checkersOf(options), events, { rows: [], register: readSqliteRegister(registerFile) })
  const { seed, trafficMs, fences, faults } = options
  const head = { seed, trafficMs, version, fences, faults }
  writeFileSync(join(folder, 'verdict.json'), `${JSON.stringify({ ...head, ...verdict }, null, 2)}\n`)
  return { verdict, folder, version }
}

function checkersOf({ trafficMs, maxTwoPrimariesMs }: LockHistoryOptions): Readonly<Record<string, Checker>> {
  const minGrants = Math.round((trafficMs / 60_000) * MIN_GRANTS_PER_MINUTE)
  const times = { slackMs: SLACK_MS, maxMs: maxTwoPrimariesMs }
  return {
    'fences-in-time': (history) =>
      fencesRiseInTime(history, { epochOf: epochOfFence, slackMs: SLACK_MS, minGrants, minFaults: 1 }),
    'two-primaries': (history) => twoPrimariesEnd(history, times),
    'no-stale-write': fencesRise,
  }
}

interface RunContext {
  readonly scope: Scope
  readonly servers: SentinelServers
  readonly folder: string
  readonly historyFile: string
  readonly registerFile: string
}

/** Resolves when the history is complete. */
async function perform(options: LockHistoryOptions, context: RunContext): Promise<void> {
  const { seed, trafficMs, signal, say } = options
  const { servers, registerFile } = context
  const random = createRandom(seed)
  const recorder = createRecorder(context.historyFile, () => systemClock.wallMs())
  context.scope.defer(() => recorder[Symbol.dispose]())
  const record = (entry: Entry): Event => recorder.record(entry)
  const fencesUrl = await fencesUrlOf(options, context)
  const prober = startProber({ ports: servers.ports, record })
  context.scope.defer(() => prober.stop())
  const workers = startWorkers({
    processes: PROCESSES,
    workers: WORKERS,
    random: random.fork(),
    record,
    lockUrl: servers.url,
    fencesUrl,
    registerFile,
    ttlMs: LOCK_TTL_MS,
    queued: QUEUED,
    polled: POLLED,
  })
  context.scope.defer(() => workers[Symbol.asyncDispose]())
  await workers.ready
  const recordAndSay = (entry: Entry): Event => {
    if (entry.f === 'fault' && entry.type !== 'invoke') say(`${entry.key}: ${entry.proof ?? entry.error ?? ''}`)
    return record(entry)
  }
  const parts: FaultParts = { servers, prober, workers }
  await run({
    traffic: { clients: [], settle: (_, until) => systemClock.sleep(AFTER_MS, until) },
    faults: chosen(faultsOf(parts), options.faults),
    quietMs: QUIET_MS,
    trafficMs,
    settleMs: AFTER_MS * 2,
    random: random.fork(),
    clock: systemClock,
    record: recordAndSay,
    heal: (until) => untilHealthy(servers, until),
    signal,
  })
  await workers.end()
  await prober.stop()
}

async function fencesUrlOf({ fences }: LockHistoryOptions, { scope, folder }: RunContext): Promise<string> {
  if (fences === 'none') return ''
  if (fences === 'sqlite') return `sqlite:${join(folder, 'fences.sqlite')}`
  const postgres = await needed(scope, 'Postgres', startPostgres())
  return postgres.database()
}

async function versionOf(servers: SentinelServers): Promise<string> {
  const info = parseInfo(await servers.cli(await servers.master(), 'info', 'server'))
  const valkey = info.get('valkey_version')
  return valkey === undefined ? `redis-${info.get('redis_version') ?? 'unknown'}` : `valkey-${valkey}`
}
