/** Runs Postgres in a container, in which it can be killed, started again, and restored from a copy. */
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers'
import { type FaultInjection, nothingToUndo } from '../../../drill/faults/fault.ts'
import { readPostgresStore } from '../../../drill/final-store/postgres.ts'
import { createPostgres } from '../../../postgres/pool.ts'
import { systemClock } from '../../../std/clock.ts'
import { until } from '../../../std/until.ts'
import { inDocker } from '../../containers.ts'
import type { Absent } from '../../present.ts'
import type { TortureStore } from './store.ts'

export interface PostgresStoreOptions {
  readonly port: number
  /** Statement to run once the service has created its tables. */
  readonly sql: string | undefined
  /** Time after which the container ends by itself, in seconds. Default: 1200. */
  readonly lifeSeconds?: number
}

const PASSWORD = 'test-only'
const READY_MS = 30_000
const LIFE_SECONDS = 1_200

/** Script that starts the server again whenever it has ended, unless it is held. Ends after its time. */
const loop = (lifeSeconds: number): string => `
end=$(( $(date +%s) + ${lifeSeconds} ))
while [ $(date +%s) -lt $end ]; do
  if [ -e /tmp/held ]; then sleep 0.05; else docker-entrypoint.sh postgres; sleep 0.1; fi
done`

const COPY = 'rm -rf /tmp/then && pg_basebackup -U postgres -D /tmp/then -c fast && chown -R postgres: /tmp/then'

/** Script that replaces the data by the copy. By then no process of the server is left to write. */
const RESTORE = `
touch /tmp/held
server=$(head -n 1 "$PGDATA/postmaster.pid")
kill -QUIT $server
while kill -0 $server 2>/dev/null; do sleep 0.05; done
find "$PGDATA" -mindepth 1 -delete
cp -a /tmp/then/. "$PGDATA"`

/** Longer than a lease on the store version, in milliseconds. */
const LEASE_OVER_MS = 2_200

/** Resolves with the running store, or with the reason why Docker cannot run it. */
export function startPostgresStore(options: PostgresStoreOptions): Promise<TortureStore | Absent> {
  return inDocker(() => startStore(options))
}

async function startStore({ port, sql, lifeSeconds = LIFE_SECONDS }: PostgresStoreOptions): Promise<TortureStore> {
  const container = await new GenericContainer('postgres:17')
    .withEnvironment({ POSTGRES_PASSWORD: PASSWORD })
    .withEntrypoint(['bash', '-c', loop(lifeSeconds)])
    .withExposedPorts({ container: 5432, host: port })
    .withWaitStrategy(Wait.forListeningPorts())
    .withStartupTimeout(READY_MS)
    .start()
  const urlAt = (at: number): string => `postgres://postgres:${PASSWORD}@127.0.0.1:${at}/postgres`

  async function query(text: string, signal: AbortSignal) {
    await using postgres = createPostgres({ url: urlAt(port), errorCode: 'STORE_UNAVAILABLE', connections: 1 })
    return (await postgres.query(text, [], signal)).rows
  }
  async function start(signal: AbortSignal): Promise<void> {
    await shell(container, 'rm -f /tmp/held')
    await until(async () => ({ value: await query('SELECT 1', signal) }), { withinMs: READY_MS, signal })
  }
  await start(AbortSignal.timeout(READY_MS))
  const cut: FaultInjection = {
    name: 'store-cut',
    prepare() {
      let count = 0
      return {
        async inject(signal) {
          const rows = await query(
            "SELECT count(pg_terminate_backend(pid)) AS cut FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
            signal,
          )
          count = Number(rows[0]?.['cut'])
        },
        async prove() {
          if (count === 0) throw new Error('there was no connection to close')
          return `the server closed ${count} connections`
        },
        undo: nothingToUndo,
      }
    },
  }
  const restore: FaultInjection = {
    name: 'store-restore',
    losesItems: true,
    prepare(random) {
      const copyAgeMs = random.between(1_500, 2_500)
      const count = async (signal: AbortSignal) =>
        Number((await query('SELECT count(*) AS n FROM ingot_items', signal))[0]?.['n'])
      let before = 0
      return {
        // until then a replica may rely on earlier reads
        holdMs: LEASE_OVER_MS,
        async inject(signal) {
          await shell(container, COPY)
          await systemClock.sleep(copyAgeMs, signal)
          before = await count(signal)
          await shell(container, RESTORE)
          await start(signal)
        },
        async prove(signal) {
          const after = await count(signal)
          if (after >= before) throw new Error(`nothing was lost: ${before} items before, ${after} after`)
          return `the restored copy has ${after} of ${before} items`
        },
        // the injection may have failed after it stopped the server, so start it again
        undo: (deadline) => start(deadline),
      }
    },
  }
  return {
    port,
    restore,
    async kill() {
      await shell(container, 'touch /tmp/held && kill -9 $(head -n 1 "$PGDATA/postmaster.pid")')
    },
    async proveKilled() {
      const reply = await query('SELECT 1', AbortSignal.timeout(2_000)).catch((failure: unknown) => String(failure))
      if (typeof reply !== 'string') throw new Error('Postgres responds after SIGKILL')
      return `Postgres after SIGKILL: ${reply}`
    },
    start,
    env: (proxyPort) => ({ INGOT_STORE_URL: urlAt(proxyPort) }),
    marker: (bytes) => bytes,
    deletes: true,
    faults: [cut],
    async read(signal) {
      await using postgres = createPostgres({ url: urlAt(port), errorCode: 'STORE_UNAVAILABLE', connections: 1 })
      return await readPostgresStore(async (text) => (await postgres.query(text, [], signal)).rows)
    },
    checkUrl: urlAt(port),
    fencesUrl: urlAt(port),
    [Symbol.asyncDispose]: async () => void (await container.stop({ timeout: 0 })),
    ...(sql === undefined ? {} : { prepare: (signal: AbortSignal) => query(sql, signal) }),
  }
}

async function shell(container: StartedTestContainer, command: string): Promise<void> {
  const { exitCode, output } = await container.exec(['bash', '-c', command], { user: 'root' })
  if (exitCode !== 0) throw new Error(`${command} failed: ${output}`)
}
