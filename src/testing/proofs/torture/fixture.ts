/** The parts of a torture run (a store, a lock service, replicas and writers) and their faults. */
import { join } from 'node:path'
import type { FaultInjection } from '../../../drill/faults/fault.ts'
import { lockServerFaults } from '../../../drill/faults/lock-server.ts'
import { latePacket, lostAnswer, type Probe } from '../../../drill/faults/packets.ts'
import {
  POINTS,
  type ReplicaFaultOptions,
  replicaKill,
  replicaKillAt,
  replicaStop,
  replicaStopAt,
} from '../../../drill/faults/replica.ts'
import { serverKill } from '../../../drill/faults/server.ts'
import type { Entry, Event } from '../../../drill/history.ts'
import { systemClock } from '../../../std/clock.ts'
import { createRandom } from '../../../std/random.ts'
import type { Scope } from '../../../std/scope.ts'
import { type Absent, needed } from '../../present.ts'
import { type RedisServers, startSentinel, startStandalone } from '../../redis/servers.ts'
import { freePorts } from '../../tcp/ports.ts'
import { startLegacyStore } from './legacy-store.ts'
import { lockServerOf } from './lock-server.ts'
import type { TortureOptions } from './options.ts'
import { startPostgresStore } from './postgres-store.ts'
import { createReplica, type RunningReplica } from './replica.ts'
import type { TortureStore } from './store.ts'
import { startWriters, type Writers } from './writers.ts'

/** The running parts of a torture run. */
export interface Fixture {
  readonly store: TortureStore
  readonly replicas: readonly RunningReplica[]
  readonly writers: Writers
  readonly registerFile: string
  readonly faults: (probe: Probe) => readonly FaultInjection[]
}

const REPLICAS = 3
const WRITERS = 4
const LOCK_TTL_MS = 1_500
const WRITER_TTL_MS = 1_000

/** Resolves when all parts run. They end with the scope. */
export async function startFixture(
  options: TortureOptions,
  scope: Scope,
  record: (entry: Entry) => Event,
): Promise<Fixture> {
  const { folder, signal, failpoints = [], seed } = options
  const [storePort = 0, ...ports] = await freePorts(REPLICAS + 1)
  const [redis, store] = await Promise.all([
    needed(
      scope,
      'Redis',
      options.lock === 'sentinel' ? startSentinel(lifeOf(options)) : startStandalone(lifeOf(options)),
    ),
    needed(scope, 'the store', startStore(options, storePort)),
  ])
  signal.throwIfAborted()
  const fencesUrl = store.fencesUrl ?? `sqlite:${join(folder, 'fences.sqlite')}`
  const env = replicaEnv(options, redis.url, fencesUrl)
  const replicas = await startReplicas(options, scope, { ports, store, env })
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
  return { store, replicas, writers, registerFile, faults: faultsOf(options, { redis, store, replicas, writers }) }
}

function startStore(options: TortureOptions, port: number): Promise<TortureStore | Absent> {
  const { folder, latencyMs = 20, fencing = 'on' } = options
  return options.store === 'http'
    ? startLegacyStore({ folder, port, latencyMs, fencing })
    : startPostgresStore({ port, sql: options.sql, ...lifeOf(options) })
}

function lifeOf({ lifeSeconds }: TortureOptions): { readonly lifeSeconds?: number } {
  return lifeSeconds === undefined ? {} : { lifeSeconds }
}

type Settings = Readonly<Record<string, string>>

function replicaEnv(
  { store, mode = 'auto', cache = true, cacheTtl }: TortureOptions,
  lockUrl: string,
  fencesUrl: string,
): Settings {
  return {
    INGOT_LOCK_MODE: mode,
    INGOT_LOCK_URL: lockUrl,
    INGOT_LOCK_FENCES: fencesUrl,
    INGOT_LOCK_TTL: `${LOCK_TTL_MS}ms`,
    INGOT_LOCK_WAIT: '4s',
    ...(store === 'postgres' && cache ? { INGOT_CACHE_URL: `${lockUrl}?timeout=1s` } : {}),
    ...(cacheTtl === undefined ? {} : { INGOT_CACHE_TTL: cacheTtl }),
  }
}

interface ReplicaParts {
  readonly ports: readonly number[]
  readonly store: TortureStore
  readonly env: Settings
}

async function startReplicas(
  { folder, failpoints = [], signal }: TortureOptions,
  scope: Scope,
  { ports, store, env }: ReplicaParts,
): Promise<readonly RunningReplica[]> {
  const create = async (port: number, index: number): Promise<RunningReplica> => {
    const name = `replica-${index + 1}`
    const replica = await createReplica({
      name,
      port,
      folder: join(folder, name),
      storePort: store.port,
      env: (proxyPort) => ({ ...env, ...store.env(proxyPort) }),
      failpoints,
    })
    scope.defer(() => replica[Symbol.asyncDispose]())
    return replica
  }
  const replicas = await Promise.all(ports.map(create))
  await Promise.all(replicas.map((replica) => replica.start(signal)))
  return replicas
}

interface Parts extends Pick<Fixture, 'store' | 'replicas' | 'writers'> {
  readonly redis: RedisServers
}

/** Returns the faults that these parts can have. A store is restored only if the options name that fault. */
function faultsOf(options: TortureOptions, { redis, store, replicas, writers }: Parts): Fixture['faults'] {
  const parts: ReplicaFaultOptions = { replicas, ttlMs: LOCK_TTL_MS }
  const locks = options.store === 'http' || options.mode === 'always'
  const points = locks ? POINTS : POINTS.filter((point) => point !== 'before-release')
  const isRestored = options.faults?.includes('store-restore') === true
  return (probe) => [
    replicaKill(parts),
    replicaStop(parts),
    ...points.flatMap((point) => [replicaKillAt(parts, point), replicaStopAt(parts, point)]),
    latePacket({ replicas, probe, clock: systemClock }, { afterMs: options.lateMs ?? [0, 100] }),
    lostAnswer({ replicas, probe, clock: systemClock }),
    writers.holderStop,
    serverKill('store-kill', store),
    ...store.faults,
    ...(isRestored && store.restore !== undefined ? [store.restore] : []),
    ...lockServerFaults(lockServerOf(redis), LOCK_TTL_MS),
  ]
}
