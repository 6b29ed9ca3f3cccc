/** Postgres and Redis of the benchmark: started when first asked for, ended with it, the same for all contenders. */
import { type PostgresServer, runSql, startPostgres } from '../../../src/testing/postgres/server.ts'
import { type RedisServers, startStandalone } from '../../../src/testing/redis/servers.ts'
import type { Env } from './processes.ts'

/**
 * What a server that is meant for writing is given; what makes a commit durable is left as it comes (fsync and
 * synchronous_commit on). The log may grow, so that no run pays for another one's checkpoint.
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
  /** Runs with an empty database, which is dropped afterwards, after a checkpoint, so that no side begins better off. */
  withDatabase<T>(run: (url: string) => Promise<T>): Promise<T>
  /** Processor time of all its processes so far, microseconds. */
  postgresCpu(): Promise<number>
  /** The address of an empty Redis, set up for locks or for a cache. */
  emptyRedis(use: RedisUse): Promise<string>
  /** Which servers they were, for the report. */
  facts(): Promise<Env>
}

/** In CI's image stores there is none of the container that removes containers; this program does that itself. */
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
      // control groups of version 1 count nanoseconds, those of version 2 microseconds
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
      // also one that is still being started is waited for and ended
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
