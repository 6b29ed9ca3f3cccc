/**
 * A ZooKeeper ensemble for one test file. Its servers run in one container, each as a process that can be killed, frozen
 * and restarted. Ports are the same inside and outside, as for the Redis servers. A tick is half a second, so sessions
 * last from one to forty seconds.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { GenericContainer, Wait } from 'testcontainers'
import { until, untilTrue } from '../../std/until.ts'
import { inDocker, rootShell } from '../containers.ts'
import type { Absent } from '../present.ts'
import { freePorts } from '../tcp/ports.ts'

export interface ZooKeeperServers extends AsyncDisposable {
  /** Without TLS and credentials. */
  readonly url: string
  readonly ports: readonly number[]
  /** The ports with TLS. Empty without TLS. */
  readonly tlsPorts: readonly number[]
  /** Sends a signal to the server with this number. */
  signal(server: number, name: 'KILL' | 'STOP' | 'CONT'): Promise<void>
  /** Restarts a killed server with its files. */
  restart(server: number): Promise<void>
  /** Resolves with the number of the leader. Rejects if there is none for the time of an election. */
  leader(): Promise<number>
  /** Resolves with the start of each session of the server, by its wall clock in milliseconds since the Unix epoch. */
  sessions(server: number): Promise<ReadonlyMap<string, number>>
  /** Runs a script in the container as root. Rejects if it fails. */
  readonly shell: (script: string) => Promise<string>
}

export interface ZooKeeperOptions {
  /** Default: 3. */
  readonly servers?: number
  /** Files of the container, by path. With `/tls/server.pem` and `/tls/ca.pem`, the servers also have ports with TLS. */
  readonly files?: Readonly<Record<string, string>>
  /** Environment variables. Default: none. */
  readonly env?: Readonly<Record<string, string>>
  /** After this time the container ends by itself, in case its program was killed, in seconds. Default: 1200. */
  readonly lifeSeconds?: number
}

const IMAGE = 'zookeeper:3.9'
const HOST = '127.0.0.1'
const LIFE_SECONDS = 1_200
const ELECTION_MS = 10_000
/** Finds the program in the official image, and in one from the packages of Debian. */
const CLASSES = '"$(echo /apache-zookeeper-*/lib)/*:/usr/share/java/zookeeper.jar:/usr/share/java/netty-codec.jar"'
/** For a start in a second, with little memory. */
const JAVA = 'java -Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto'
const SETTINGS = [
  'tickTime=500',
  'initLimit=40',
  'maxSessionTimeout=40000',
  // how long a follower goes on without its leader: 5 s
  'syncLimit=10',
  'admin.enableServer=false',
  '4lw.commands.whitelist=*',
  'preAllocSize=1024',
]

/** Starts the ensemble, or returns the reason why it is absent. */
export function startZooKeeper(options: ZooKeeperOptions = {}): Promise<ZooKeeperServers | Absent> {
  return inDocker(() => start(options))
}

/** Sends a command of four letters and resolves with the response. Rejects if there is none. */
async function ask(port: number, command: string): Promise<string> {
  const socket = connect({ host: HOST, port, timeout: 1_000 })
  socket.on('timeout', () => socket.destroy(new Error('no response')))
  let text = ''
  socket.on('data', (data: Buffer) => void (text += data.toString()))
  // a server of Netty drops a connection that its client has ended
  socket.write(command)
  await once(socket, 'close')
  return text
}

function settingsOf(server: number, ports: readonly number[], count: number, isTls: boolean): string {
  const of = (kind: number, at = server): number => ports[kind * count + at] ?? 0
  const others = Array.from({ length: count }, (_, i) => `server.${i + 1}=${HOST}:${of(1, i)}:${of(2, i)}`)
  const tls = [
    `secureClientPort=${of(3)}`,
    'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
    'ssl.keyStore.location=/tls/server.pem',
    'ssl.trustStore.location=/tls/ca.pem',
  ]
  return [
    ...SETTINGS,
    `dataDir=/zk/${server}`,
    `clientPortAddress=${HOST}`,
    `clientPort=${of(0)}`,
    ...(count > 1 ? others : []),
    ...(isTls ? tls : []),
  ].join('\n')
}

async function start({
  servers: count = 3,
  files = {},
  env = {},
  lifeSeconds = LIFE_SECONDS,
}: ZooKeeperOptions): Promise<ZooKeeperServers> {
  const isTls = '/tls/server.pem' in files
  const ports = await freePorts(4 * count)
  const clients = ports.slice(0, count)
  const lineOf = (i: number): string =>
    `${JAVA} -cp ${CLASSES} org.apache.zookeeper.server.quorum.QuorumPeerMain /zk/${i}.cfg >>/zk/log-${i} 2>&1 & echo $! >/zk/pid-${i}`
  const boot = clients.flatMap((_, i) => [
    `mkdir -p /zk/${i}`,
    `echo ${i + 1} >/zk/${i}/myid`,
    `printf '%s\\n' '${settingsOf(i, ports, count, isTls)}' >/zk/${i}.cfg`,
    lineOf(i),
  ])
  const container = await new GenericContainer(IMAGE)
    .withUser('root')
    .withEnvironment(env)
    .withNetworkMode('host')
    .withTmpFs({ '/zk': 'rw' })
    .withCopyContentToContainer(Object.entries(files).map(([target, content]) => ({ target, content, mode: 0o644 })))
    .withEntrypoint(['sh', '-c'])
    .withCommand([[...boot, 'echo servers started', `exec sleep ${lifeSeconds}`].join('\n')])
    .withWaitStrategy(Wait.forLogMessage('servers started'))
    .start()
  const shell = rootShell(container)
  const servers: ZooKeeperServers = {
    url: `zookeeper://${clients.map((port) => `${HOST}:${port}`).join(',')}`,
    ports: clients,
    tlsPorts: isTls ? ports.slice(3 * count) : [],
    shell,
    signal: async (server, name) => void (await shell(`kill -${name} $(cat /zk/pid-${server})`)),
    restart: async (server) => void (await shell(lineOf(server))),
    async sessions(server) {
      const connections = await ask(clients[server] ?? 0, 'cons')
      return new Map([...connections.matchAll(/sid=(\w+).*?est=(\d+)/g)].map(([, id = '', ms]) => [id, Number(ms)]))
    },
    leader: () =>
      until(
        async () => {
          const modes = await Promise.all(clients.map((port) => ask(port, 'srvr').catch(() => '')))
          const value = modes.findIndex((mode) => /Mode: (?:leader|standalone)/.test(mode))
          return value < 0 ? { missing: 'a leader' } : { value }
        },
        { withinMs: ELECTION_MS, everyMs: 200 },
      ),
    [Symbol.asyncDispose]: async () => void (await container.stop({ timeout: 0 })),
  }
  const areReady = async (): Promise<boolean> => {
    const modes = await Promise.all(clients.map((port) => ask(port, 'srvr').catch(() => '')))
    return modes.every((mode) => mode.includes('Mode: '))
  }
  await untilTrue('an ensemble', areReady, { withinMs: 90_000, everyMs: 200 })
  return servers
}
