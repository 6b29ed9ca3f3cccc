/** A Postgres for one test file, in a container that can be killed, frozen and restarted. */
import pg from 'pg'
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from 'testcontainers'
import { until, type WaitLimits } from '../../std/until.ts'
import { execIn, inDocker, rootShell } from '../containers.ts'
import type { Absent } from '../present.ts'
import { freePorts } from '../tcp/ports.ts'

export interface PostgresServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Address of a second server in the container, if a test starts one on port 5433. */
  readonly spareUrl: string
  /** Creates an empty database and resolves with its URL. */
  database(): Promise<string>
  /** Runs a command in the container as the user of the server. Rejects if it fails. */
  exec(...command: readonly string[]): Promise<string>
  /** Runs a script in the container as root. Rejects if it fails. */
  readonly shell: (script: string) => Promise<string>
  /** Kills all its processes at once, like a power failure. Data that was not synced may be lost. */
  kill(): Promise<void>
  /** Restarts it on its files. Resolves when it accepts connections. */
  start(): Promise<void>
  freeze(): Promise<void>
  thaw(): Promise<void>
}

export interface PostgresServerOptions {
  /** Settings of the server, such as `max_connections=20`. Default: none. */
  readonly settings?: readonly string[]
  /** Size of a file system in a folder of the server's user. Default: none. */
  readonly smallDisk?: { readonly folder: string; readonly megabytes: number }
  /** Further environment variables. Default: none. */
  readonly env?: Readonly<Record<string, string>>
}

const PASSWORD = 'test-only'
const START_MS = 60_000

/** Starts a server, or returns the reason why it is absent. */
export function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer | Absent> {
  return inDocker(() => start(options))
}

async function start({ settings = [], smallDisk, env = {} }: PostgresServerOptions): Promise<PostgresServer> {
  const [host = 0, spare = 0] = await freePorts(2)
  const container = await new GenericContainer('postgres:17')
    .withEnvironment({ POSTGRES_PASSWORD: PASSWORD, ...env })
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
  // the message may come from the server of initdb; only the final server accepts connections
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
    exec: (...command) => execIn(container, command),
    shell: rootShell(container),
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

/** Runs statements on a new connection and resolves with the rows of the last one. */
export async function runSql(url: string, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {}) // if a test kills the server, the statement rejects
  await client.connect()
  try {
    const results = [await client.query(sql)].flat()
    return (results.at(-1)?.rows ?? []) as readonly Readonly<Record<string, unknown>>[]
  } finally {
    await client.end()
  }
}

/** Resolves when the server accepts connections. */
export async function untilAnswering(url: string, limits: WaitLimits): Promise<void> {
  await until(async () => ({ value: await runSql(url, 'SELECT 1') }), limits)
}
