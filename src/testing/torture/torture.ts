/**
 * A torture run: three replicas of the service, a store and a lock service, all real processes; clients, faults, and a
 * verdict from the history and the store alone. The seed decides what is sent and which faults come in which order.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkersOf } from '../../drill/check/checkers.ts'
import { judge, type Verdict } from '../../drill/check/verdict.ts'
import {
  type Coverage,
  createCoverage,
  DELETE_KIND,
  faultKind,
  ITEM_KINDS,
  REGISTER_KINDS,
} from '../../drill/coverage.ts'
import { createRecorder, type Entry, type Event, readHistory } from '../../drill/history.ts'
import type { Fault } from '../../drill/nemesis/fault.ts'
import {
  latePacket,
  lockFaults,
  lostAnswer,
  POINTS,
  type Probe,
  replicaKill,
  replicaKillAt,
  replicaStop,
  replicaStopAt,
  type Stage,
  serverRestart,
} from '../../drill/nemesis/faults.ts'
import { run } from '../../drill/runner.ts'
import { bytesOf } from '../../drill/workload/content.ts'
import { type ContentBook, createContentBook } from '../../drill/workload/items.ts'
import { createSender, type Sender } from '../../drill/workload/sender.ts'
import { readSqliteRegister } from '../../drill/workload/sqlite-register.ts'
import { systemClock } from '../../std/clock.ts'
import type { FailpointName } from '../../std/failpoint.ts'
import { createRandom } from '../../std/random.ts'
import { createScope, type Scope } from '../../std/scope.ts'
import { type Absent, needed } from '../present.ts'
import { startSentinel, startStandalone } from '../redis-servers.ts'
import { within } from '../service.ts'
import { freePorts } from '../tcp-ports.ts'
import { cacheCounts } from './cache-hits.ts'
import { startLegacyStore } from './legacy-store.ts'
import { lockServerOf } from './lock-server.ts'
import { startPostgresStore } from './postgres-store.ts'
import { createReplica, type RunningReplica } from './processes.ts'
import { untilReady } from './readiness.ts'
import type { TortureStore } from './store.ts'
import { startWriters, type Writers } from './writers.ts'

export interface TortureOptions {
  readonly seed: number
  readonly trafficMs: number
  readonly store: 'http' | 'postgres'
  readonly lock: 'redis' | 'sentinel'
  /** INGOT_LOCK_MODE of the replicas. Default: auto. */
  readonly mode?: 'auto' | 'always'
  /** Ends as soon as every fault and every kind of operation has happened; `trafficMs` is then the longest time. */
  readonly cover?: boolean
  /** A folder for history, verdict and what the processes keep. It is emptied first. */
  readonly folder: string
  readonly signal: AbortSignal
  readonly say?: (line: string) => void
  /** How the service is sabotaged. Default: not at all. */
  readonly failpoints?: readonly FailpointName[]
  /** Names of faults. Default: all. */
  readonly faults?: readonly string[]
  /** Of the legacy backend. Default: 20 and on. */
  readonly latencyMs?: number
  readonly fencing?: 'on' | 'off'
  /** Bounds of what lies between a second save and the late delivery of the first, in ms. Default: 0 to 100. */
  readonly lateMs?: readonly [number, number]
  /** Longest quiet between faults, milliseconds. Default: 1000. */
  readonly quietMs?: number
  /** Whether replicas of a store that allows it share a cache, in the Redis of the locks. Default: true. */
  readonly cache?: boolean
  /** Whether clients delete items where the store can. Default: true. */
  readonly deletes?: boolean
  /** Statement to run in the Postgres store once the service is up. */
  readonly sql?: string
}

export interface TortureResult {
  readonly verdict: Verdict
  /** Events by kind and outcome. */
  readonly counts: Readonly<Record<string, number>>
  /** Kinds of faults and operations that did not happen. */
  readonly missing: readonly string[]
  readonly historyFile: string
}

const REPLICAS = 3
const CLIENTS = 4
const WRITERS = 4
const LOCK_TTL_MS = 1_500
const WRITER_TTL_MS = 1_000
const REQUEST_MS = 6_000
const PAUSE_MS = 120
const RECOVERY_MS = 20_000
/** Longest time from the end of traffic to the end of the run: a fault under way, healing, sending again. */
const END_MS = 90_000
const COLLECTION = 'torture'
/** A multiple of three, so that it is a beginning in base64 too. */
const MARKER_BYTES = 240

/** Rejects with the signal's reason when it was ended early, and with why there can be no run. */
export async function torture(options: TortureOptions): Promise<TortureResult> {
  const { folder } = options
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const historyFile = join(folder, 'history.ndjson')
  // closed after all that may still tell it something
  using recorder = createRecorder(historyFile, () => systemClock.wallMs())
  await using scope = createScope()
  const seen = createCoverage()
  const record = (entry: Entry): Event => {
    const event = recorder.record(entry)
    seen.note(event)
    return event
  }
  const set = await raise(options, scope, record)
  const boundMs = options.trafficMs + END_MS
  const performed = perform(options, set, { record, seen })
  const missing = await within(performed, boundMs, () => `the run did not end within ${boundMs} ms`)
  await set.writers.end()
  const cache = await cacheCounts(set.replicas.map(({ url }) => url))
  for (const replica of set.replicas) await replica[Symbol.asyncDispose]()
  const items = await set.store.read(AbortSignal.timeout(60_000))
  const final = { ...items, register: readSqliteRegister(set.registerFile) }
  const { events } = readHistory(historyFile)
  const verdict = judge(checkersOf({ recoveryMs: RECOVERY_MS, locks: true }), events, final)
  const { seed, trafficMs, store, lock, failpoints = [] } = options
  const head = { seed, trafficMs, store, lock, failpoints, check: set.store.checkUrl }
  writeFileSync(join(folder, 'verdict.json'), `${JSON.stringify({ ...head, ...verdict }, null, 2)}\n`)
  return { verdict, counts: { ...countsOf(events), ...cache }, missing, historyFile }
}

function countsOf(events: readonly Event[]): Readonly<Record<string, number>> {
  const ended = events.filter(({ type, f }) => type !== 'invoke' && f !== 'phase' && f !== 'release')
  const groups = Object.entries(Object.groupBy(ended, ({ f, type }) => `${f} ${type}`))
  return Object.fromEntries(groups.map(([name, group]) => [name, group?.length ?? 0]))
}

/** All that runs. */
interface Scenery {
  readonly store: TortureStore
  readonly replicas: readonly RunningReplica[]
  readonly writers: Writers
  readonly registerFile: string
  readonly faults: (probe: Probe) => readonly Fault[]
}

async function raise(options: TortureOptions, scope: Scope, record: (entry: Entry) => Event): Promise<Scenery> {
  const { folder, signal, failpoints = [], seed } = options
  const [storePort = 0, ...ports] = await freePorts(REPLICAS + 1)
  const [redis, store] = await Promise.all([
    needed(scope, 'Redis', options.lock === 'sentinel' ? startSentinel() : startStandalone()),
    needed(scope, 'the store', startStore(options, storePort)),
  ])
  signal.throwIfAborted()
  const fencesUrl = store.fencesUrl ?? `sqlite:${join(folder, 'fences.sqlite')}`
  const create = async (port: number, index: number): Promise<RunningReplica> => {
    const name = `replica-${index + 1}`
    const cache =
      options.store === 'postgres' && options.cache !== false ? { INGOT_CACHE_URL: `${redis.url}?timeout=1s` } : {}
    const env = (wire: number) => ({ ...replicaEnv(redis.url, fencesUrl, options.mode), ...cache, ...store.env(wire) })
    const own = { name, port, folder: join(folder, name), storePort, env, failpoints }
    const replica = await createReplica(own)
    scope.defer(() => replica[Symbol.asyncDispose]())
    return replica
  }
  const replicas = await Promise.all(ports.map(create))
  await Promise.all(replicas.map((replica) => replica.start(signal)))
  await store.prepare?.(signal)
  const registerFile = join(folder, 'register.sqlite')
  const writers = startWriters({
    count: WRITERS,
    lockUrl: redis.url,
    fencesUrl,
    registerFile,
    ttlMs: WRITER_TTL_MS,
    random: createRandom(seed ^ 0x5eed),
    record,
    failpoints,
  })
  scope.defer(() => writers[Symbol.asyncDispose]())
  await writers.ready
  const stage: Stage = { replicas, clock: systemClock, ttlMs: LOCK_TTL_MS }
  const locks = options.store === 'http' || options.mode === 'always'
  const points = locks ? POINTS : POINTS.filter((point) => point !== 'before-release')
  const faults = (probe: Probe): readonly Fault[] => [
    replicaKill(stage),
    replicaStop(stage),
    ...points.flatMap((point) => [replicaKillAt(stage, point), replicaStopAt(stage, point)]),
    latePacket(stage, probe, { afterMs: options.lateMs ?? [0, 100] }),
    lostAnswer(stage, probe),
    writers.holderStop,
    serverRestart('store-kill', store, systemClock),
    ...store.faults,
    ...(options.faults?.includes('store-restore') === true ? [store.restore ?? []].flat() : []),
    ...lockFaults(lockServerOf(redis), stage),
  ]
  return { store, replicas, writers, registerFile, faults }
}

function startStore(options: TortureOptions, port: number): Promise<TortureStore | Absent> {
  const { folder, latencyMs = 20, fencing = 'on' } = options
  return options.store === 'http'
    ? startLegacyStore({ folder, port, latencyMs, fencing })
    : startPostgresStore({ port, sql: options.sql })
}

function replicaEnv(
  lockUrl: string,
  fencesUrl: string,
  mode: TortureOptions['mode'] = 'auto',
): Readonly<Record<string, string>> {
  return {
    INGOT_LOCK_MODE: mode,
    INGOT_LOCK_URL: lockUrl,
    INGOT_LOCK_FENCES: fencesUrl,
    INGOT_LOCK_TTL: `${LOCK_TTL_MS}ms`,
    INGOT_LOCK_WAIT: '4s',
  }
}

interface Ledger {
  readonly record: (entry: Entry) => Event
  readonly seen: Coverage
}

/** Resolves with what did not happen. */
async function perform(options: TortureOptions, set: Scenery, { record, seen }: Ledger): Promise<readonly string[]> {
  const { trafficMs, signal, say = () => {}, quietMs = 1_000 } = options
  const { store, replicas } = set
  const random = createRandom(options.seed)
  const sender = createSender({ record, collection: COLLECTION, timeoutMs: REQUEST_MS })
  const contents = createContentBook()
  const faults = chosen(set.faults(probeOf(sender, contents, store)), options.faults)
  const told = (entry: Entry): Event => {
    if (entry.f === 'fault' && entry.type !== 'invoke') say(`${entry.key}: ${entry.proof ?? entry.error ?? ''}`)
    return record(entry)
  }
  const deletes = store.deletes && options.deletes !== false
  const kinds = [...ITEM_KINDS, ...(deletes ? [DELETE_KIND] : []), ...REGISTER_KINDS]
  const wanted = [...faults.map(({ name }) => faultKind(name)), ...kinds]
  const targets = replicas.map(({ url }) => url)
  const workload = { sender, targets, contents, clock: systemClock, deletes, pauseMs: PAUSE_MS }
  await run({
    workload,
    clients: CLIENTS,
    faults,
    quietMs,
    trafficMs,
    settleMs: RECOVERY_MS,
    random,
    clock: systemClock,
    record: told,
    heal: (until) => untilReady(replicas, { ms: RECOVERY_MS, say, signal: until }),
    signal,
    ...(options.cover === true ? { until: { seen, wanted } } : {}),
  })
  return seen.missing(wanted)
}

/** In the order given, so that a run of few faults is steered. */
function chosen(faults: readonly Fault[], names: readonly string[] | undefined): readonly Fault[] {
  if (names === undefined) return faults
  return names.map((name) => {
    const fault = faults.find((one) => one.name === name)
    if (fault !== undefined) return fault
    throw new Error(`there is no fault "${name}", only ${faults.map((one) => one.name).join(', ')}`)
  })
}

function probeOf(sender: Sender, contents: ContentBook, store: TortureStore): Probe {
  return {
    fresh: (random) => contents.fresh(random),
    // a beginning is enough, and less likely to come in two pieces
    marker: (content) => store.marker(bytesOf({ content, spelling: 0 }).subarray(0, MARKER_BYTES)),
    async save(replica, content) {
      const [outcome = 'info'] = await sender.save('probe', replica.url, [{ content, spelling: 0 }], 'single')
      contents.note(content, outcome)
      return outcome
    },
  }
}
