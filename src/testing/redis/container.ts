/**
 * Redis servers for tests. All servers of one deployment run in one container, each as a process that can be killed, frozen
 * and restarted. None of them is PID 1, because signals from inside the container do not reach PID 1.
 *
 * Ports are the same inside and outside the container, so clients can use the addresses that servers announce to each
 * other: with host networking on Linux, with mapped ports elsewhere.
 */
import { GenericContainer, Wait } from 'testcontainers'
import { execIn } from '../containers.ts'

const IMAGE = 'redis:8.0'
/** After this time a container ends by itself, in case its test was killed. */
const LIFE_SECONDS = 1_200

/** One server process: `sentinel` runs from a configuration file that it rewrites. */
export interface ServerSpec {
  readonly port: number
  readonly kind: 'server' | 'sentinel'
  /** Lines of redis.conf. */
  readonly config: readonly string[]
  /** True if its port accepts only TLS. Default: false. */
  readonly tls?: boolean
  /** Environment variables. */
  readonly env?: Readonly<Record<string, string>>
}

export interface RedisContainer extends AsyncDisposable {
  /** Runs redis-cli against one server and resolves with its output. */
  cli(port: number, ...args: readonly string[]): Promise<string>
  /** Runs a command in the container as root. Rejects if it fails. */
  exec(...command: readonly string[]): Promise<string>
  signal(port: number, name: 'KILL' | 'STOP' | 'CONT'): Promise<void>
  /** Restarts a killed server with its files. */
  restart(port: number): Promise<void>
}

/** In memory, because a busy disk would delay servers that write each command to it. */
const DATA = '/redis-data'

/** Returns the folder of a server inside the container. */
export const serverFolder = (port: number): string => `${DATA}/${port}`

/** Returns the redis.conf of a server that keeps its files in `dir`. */
export function configFile({ port, kind, config, tls = false }: ServerSpec, dir: string): string {
  const listen = tls ? ['port 0', `tls-port ${port}`] : [`port ${port}`]
  const base = [...listen, `dir ${dir}`, `pidfile ${dir}/pid`, 'daemonize yes']
  const server = ['save ""', 'repl-diskless-sync-delay 0', 'repl-ping-replica-period 1', 'enable-debug-command yes']
  return [...base, ...(kind === 'server' ? server : []), ...config].join('\n')
}

function startLine({ port, kind, env = {} }: ServerSpec): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value} `)
  return `${variables.join('')}redis-server ${serverFolder(port)}/conf${kind === 'sentinel' ? ' --sentinel' : ''} >/dev/null`
}

/** Links the programs of Valkey under the names of Redis, if the image has only its own. */
const NAMES = ['server', 'cli']
  .map((of) => `command -v redis-${of} >/dev/null || ln -s "$(command -v valkey-${of})" /usr/local/bin/redis-${of}`)
  .join('\n')

function bootScript(specs: readonly ServerSpec[], prepare: string, lifeSeconds: number): string {
  const files = specs.map(
    (s) =>
      `mkdir -p ${serverFolder(s.port)}; cat > ${serverFolder(s.port)}/conf <<'END'\n${configFile(s, serverFolder(s.port))}\nEND`,
  )
  return [NAMES, ...files, prepare, ...specs.map(startLine), 'echo servers started', `exec sleep ${lifeSeconds}`].join(
    '\n',
  )
}

export interface ContainerOptions {
  /** Image of Redis or Valkey. Default: redis:8.0. */
  readonly image?: string
  /** Files of the container, by path. */
  readonly files?: Readonly<Record<string, string>>
  /** Shell lines to run as root before the servers start. Default: none. */
  readonly prepare?: string
  /** Arguments of every call of redis-cli, such as TLS and password. Default: none. */
  readonly cliArgs?: readonly string[]
  /** Longest life of the container, in seconds. Default: 1200. */
  readonly lifeSeconds?: number
}

export async function startContainer(
  specs: readonly ServerSpec[],
  { image = IMAGE, files = {}, prepare = '', cliArgs = [], lifeSeconds = LIFE_SECONDS }: ContainerOptions = {},
): Promise<RedisContainer> {
  const base = new GenericContainer(image)
    .withUser('root')
    .withTmpFs({ [DATA]: 'rw' })
    .withCommand(['sh', '-c', bootScript(specs, prepare, lifeSeconds)])
    .withCopyContentToContainer(Object.entries(files).map(([target, content]) => ({ target, content, mode: 0o644 })))
    .withWaitStrategy(Wait.forLogMessage('servers started'))
    .withStartupTimeout(120_000)
  const ports = specs.map(({ port }) => ({ container: port, host: port }))
  const container = await (process.platform === 'linux'
    ? base.withNetworkMode('host')
    : base.withExposedPorts(...ports)
  ).start()
  const exec = (...command: readonly string[]): Promise<string> => execIn(container, command, { user: 'root' })
  return {
    exec,
    cli: (port, ...args) => exec('redis-cli', '-p', String(port), ...cliArgs, ...args),
    signal: async (port, name) => void (await exec('sh', '-c', `kill -${name} $(cat ${serverFolder(port)}/pid)`)),
    async restart(port) {
      const spec = specs.find((s) => s.port === port)
      if (spec === undefined) throw new Error(`no server has port ${port}`)
      await exec('sh', '-c', startLine(spec))
    },
    [Symbol.asyncDispose]: async () => void (await container.stop({ timeout: 0 })),
  }
}
