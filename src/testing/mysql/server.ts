/** A MariaDB for one test file, in a container that can be killed, frozen and restarted. */
import mysql from 'mysql2/promise'
import { GenericContainer, getContainerRuntimeClient } from 'testcontainers'
import { untilTrue } from '../../std/until.ts'
import { inDocker, rootShell } from '../containers.ts'
import type { Absent } from '../present.ts'
import { freePorts } from '../tcp/ports.ts'

export interface MysqlServer extends AsyncDisposable {
  /** Of a user with all rights. */
  readonly url: string
  readonly port: number
  /** Runs statements as that user, and resolves with the rows of the last one. */
  sql(text: string): Promise<readonly Readonly<Record<string, unknown>>[]>
  /** Runs a script in the container as root. Rejects if it fails. */
  readonly shell: (script: string) => Promise<string>
  /** Kills it like a power failure. */
  kill(): Promise<void>
  /** Restarts it on its files. Resolves when it accepts connections. */
  start(): Promise<void>
  freeze(): Promise<void>
  thaw(): Promise<void>
}

export interface MysqlOptions {
  /** Files of the container, by path. */
  readonly files?: Readonly<Record<string, string>>
  /** Further arguments of the server. */
  readonly args?: readonly string[]
  /** Environment variables. Default: none. */
  readonly env?: Readonly<Record<string, string>>
}

const PASSWORD = 'test-only'
const START_MS = 60_000

const INIT = `CREATE DATABASE IF NOT EXISTS locks;
CREATE USER IF NOT EXISTS 'tester'@'%' IDENTIFIED BY '${PASSWORD}';
GRANT ALL ON *.* TO 'tester'@'%' WITH GRANT OPTION;
`

/** Starts a server, or returns the reason why it is absent. */
export function startMariadb(options: MysqlOptions = {}): Promise<MysqlServer | Absent> {
  return inDocker(() => start(options))
}

async function start({ files = {}, args = [], env = {} }: MysqlOptions): Promise<MysqlServer> {
  const [port = 0] = await freePorts(1)
  const boot = [
    'mkdir -p /db && chown mysql /db',
    '[ -d /db/mysql ] || mariadb-install-db --user=mysql --datadir=/db --skip-test-db >/dev/null',
    `exec mariadbd --user=mysql --datadir=/db --bind-address=0.0.0.0 --socket=/tmp/mysqld.sock --pid-file=/tmp/mysqld.pid --init-file=/init.sql ${args.join(' ')}`,
  ]
  const content = Object.entries({ ...files, '/init.sql': INIT })
  const container = await new GenericContainer('mariadb:11.8')
    .withUser('root')
    .withEnvironment(env)
    .withCommand(['sh', '-c', boot.join('\n')])
    .withExposedPorts({ container: 3306, host: port })
    .withCopyContentToContainer(content.map(([target, text]) => ({ target, content: text, mode: 0o644 })))
    .start()
  const url = `mysql://tester:${PASSWORD}@127.0.0.1:${port}/locks`
  const engine = async () => (await getContainerRuntimeClient()).container.getById(container.getId())

  const sql: MysqlServer['sql'] = async (text) => {
    const options = { uri: url, multipleStatements: true, connectTimeout: 2_000 }
    const connection = await mysql.createConnection(options)
    const [rows] = await connection.query(text)
    await connection.end()
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of several statements, the results of each
    return [rows].flat() as readonly Readonly<Record<string, unknown>>[]
  }
  const untilAnswering = (): Promise<void> =>
    untilTrue(
      'MariaDB',
      () =>
        sql('SELECT 1').then(
          () => true,
          () => false,
        ),
      { withinMs: START_MS, everyMs: 200 },
    ).then(() => {})

  await untilAnswering()
  return {
    url,
    port,
    sql,
    shell: rootShell(container),
    kill: async () => void (await (await engine()).kill()),
    async start() {
      await (await engine()).start()
      await untilAnswering()
    },
    freeze: async () => void (await (await engine()).pause()),
    thaw: async () => void (await (await engine()).unpause()),
    [Symbol.asyncDispose]: async () => void (await container.stop({ timeout: 0 })),
  }
}
