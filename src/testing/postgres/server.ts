/** A Postgres of its own for a test file, in a container that can be killed, frozen and started again. */
import pg from 'pg'
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from 'testcontainers'
import { type Patience, until } from '../../std/until.ts'
import { inDocker } from '../containers.ts'
import type { Absent } from '../present.ts'
import { freePorts } from '../tcp/ports.ts'

export interface PostgresServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Where a second server in the container is reached from here, when a test starts one on its port 5433. */
  readonly spareUrl: string
  /** Makes an empty database and answers its URL. */
  database(): Promise<string>
  /** Runs a command in the container as the server's user; rejects when it fails. */
  exec(...command: readonly string[]): Promise<string>
  /** Ends all its processes at once, as a power cut does; what was not synced may be lost. */
  kill(): Promise<void>
  /** Starts it again on the files it left. Resolves when it takes connections. */
  start(): Promise<void>
  freeze(): Promise<void>
  thaw(): Promise<void>
}

export interface PostgresServerOptions {
  /** Settings of the server, as in `max_connections=20`. Default: none. */
  readonly settings?: readonly string[]
  /** A file system of that size in a folder of the server's user. Default: none. */
  readonly smallDisk?: { readonly folder: string; readonly megabytes: number }
}

const PASSWORD = 'test-only'
const START_MS = 60_000

/** Or why there can be none. */
export function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer | Absent> {
  return inDocker(() => start(options))
}

async function start({ settings = [], smallDisk }: PostgresServerOptions): Promise<PostgresServer> {
  const [host = 0, spare = 0] = await freePorts(2)
  const container = await new GenericContainer('postgres:17')
    .withEnvironment({ POSTGRES_PASSWORD: PASSWORD })
    .withCommand(['postgres', ...settings.flatMap((setting) => ['-c', setting])])
    .withExposedPorts({ container: 5432, host }, { container: 5433, host: spare })
    .withTmpFs(
      smallDisk === undefined
        ? {}
        : { [smallDisk.folder]: `rw,size=${smallDisk.megabytes}m,uid=999,gid=999,mode=0700` },
    )
    .withWaitStrategy(Wait.forLogMessage('database system is ready to accept connections'))
    .withStartupTimeout(START_MS)
    .start()
  const server = control(container, host, spare)
  // the message may be that of a server that only sets the files up; connections reach the one that stays
  await untilAnswering(server.url, { withinMs: START_MS })
  return server
}

function control(container: StartedTestContainer, port: number, spare: number): PostgresServer {
  const urlOf = (database: string, at = port): string =>
    `postgres://postgres:${PASSWORD}@${container.getHost()}:${at}/${database}`
  let databases = 0
  const engine = async () => (await getContainerRuntimeClient()).container.getById(container.getId())
  return {
    url: urlOf('postgres'),
    port,
    spareUrl: urlOf('postgres', spare),
    async database() {
      const name = `test_${++databases}`
      await runSql(urlOf('postgres'), `CREATE DATABASE ${name}`)
      return urlOf(name)
    },
    async exec(...command) {
      const { exitCode, output } = await container.exec([...command])
      if (exitCode !== 0) throw new Error(`${command.join(' ')} failed: ${output}`)
      return output.trim()
    },
    kill: async () => void (await (await engine()).kill()),
    async start() {
      await (await engine()).start()
      await untilAnswering(urlOf('postgres'), { withinMs: START_MS })
    },
    freeze: async () => void (await (await engine()).pause()),
    thaw: async () => void (await (await engine()).unpause()),
    [Symbol.asyncDispose]: async () => void (await container.stop({ timeout: 0 })),
  }
}

/** Runs statements on a connection of their own and answers the last one's rows. */
export async function runSql(url: string, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {}) // a server that a test kills: the statement says so
  await client.connect()
  try {
    const results = [await client.query(sql)].flat()
    return (results.at(-1)?.rows ?? []) as readonly Readonly<Record<string, unknown>>[]
  } finally {
    await client.end()
  }
}

/** Resolves when it takes connections. */
export async function untilAnswering(url: string, patience: Patience): Promise<void> {
  await until(async () => ({ value: await runSql(url, 'SELECT 1') }), patience)
}
