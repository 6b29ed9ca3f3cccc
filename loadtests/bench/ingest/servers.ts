/** Postgres and Redis of the benchmark, the same for all contenders. They start on first use and end with the benchmark. */
import { type PostgresServer, runSql, startPostgres } from '../../../src/testing/postgres/server.ts'
import { type RedisServers, startStandalone } from '../../../src/testing/redis/servers.ts'
import type { Env } from './processes.ts'

/**
 * Settings of a server with many writes. Settings for durability keep their defaults (fsync and synchronous_commit are on).
 * The log may grow, so that no run pays for the checkpoint of another.
 */
const POSTGRES_SETTINGS = [
  'shared_buffers=1GB',
  'max_wal_size=8GB',
  'checkpoint_timeout=30min',
  'max_parallel_maintenance_workers=0',
]

export type RedisUse = 'locks' | 'cache'

const REDIS_SETTINGS: Readonly<Record<RedisUse, readonly string[]>> = {
  locks: [],
  cache: ['maxmemory 1gb', 'maxmemory-policy allkeys-lru'],
}

export interface Servers extends AsyncDisposable {
  /** Runs `work` with an empty database after a checkpoint, so that all sides start equal. Drops the database afterwards. */
  withDatabase<T>(run: (url: string) => Promise<T>): Promise<T>
  /** Resolves with the processor time of all its processes so far, in microseconds. */
  postgresCpu(): Promise<number>
  /** Resolves with the URL of an empty Redis with settings for locks or for a cache. */
  emptyRedis(use: RedisUse): Promise<string>
  /** Versions of the servers, for the report. */
  facts(): Promise<Env>
}

/** CI has no image of the container that removes containers, so this program removes its containers itself. */
process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true'

export function createServers(): Servers {
  let postgres: Promise<PostgresServer> | undefined
  const redis = new Map<RedisUse, Promise<RedisServers>>()
  const startedPostgres = (): Promise<PostgresServer> =>
    (postgres ??= startPostgres({ settings: POSTGRES_SETTINGS }).then(need))
  function startedRedis(use: RedisUse): Promise<RedisServers> {
    const started = redis.get(use) ?? startStandalone({ config: REDIS_SETTINGS[use] }).then(need)
    redis.set(use, started)
    return started
  }

  return {
    async withDatabase(run) {
      const server = await startedPostgres()
      const url = await server.database()
      await runSql(server.url, 'CHECKPOINT')
      try {
        return await run(url)
      } finally {
        await runSql(server.url, `DROP DATABASE ${new URL(url).pathname.slice(1)} WITH (FORCE)`)
      }
    },
    async postgresCpu() {
      // cgroups v1 count nanoseconds, cgroups v2 count microseconds
      const text = await (await startedPostgres()).exec(
        'sh',
        '-c',
        'cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || grep usage_usec /sys/fs/cgroup/cpu.stat',
      )
      return text.startsWith('usage_usec') ? Number(text.split(' ')[1]) : Number(text) / 1_000
    },
    async emptyRedis(use) {
      const servers = await startedRedis(use)
      const [port = 0] = servers.ports
      await servers.cli(port, 'flushall')
      return servers.url
    },
    async facts() {
      if (postgres === undefined) return {}
      const names = ['server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers']
      const columns = names.map((name) => `current_setting('${name}') AS ${name}`).join(', ')
      const [row = {}] = await runSql((await postgres).url, `SELECT ${columns}`)
      return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)]))
    },
    async [Symbol.asyncDispose]() {
      // waits for a server that is still starting, and ends it too
      for (const server of [postgres, ...redis.values()]) {
        const started = await server?.catch(() => undefined)
        await started?.[Symbol.asyncDispose]()
      }
    },
  }
}

function need<T extends object>(server: T | { readonly absent: string }): T {
  if ('absent' in server) throw new Error(`this part of the benchmark needs its servers: ${server.absent}`)
  return server
}
