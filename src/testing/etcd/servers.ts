/**
 * An etcd cluster for one test file. Its members run in one container, each as a process that can be killed, frozen and
 * restarted. Ports are the same inside and outside, as for the Redis servers.
 */
import { GenericContainer, Wait } from 'testcontainers'
import { untilTrue } from '../../std/until.ts'
import { inDocker, rootShell } from '../containers.ts'
import type { Absent } from '../present.ts'
import { freePorts } from '../tcp/ports.ts'

export interface EtcdServers extends AsyncDisposable {
  /** Without TLS and credentials. */
  readonly url: string
  readonly ports: readonly number[]
  /** Sends a signal to the member with this number. */
  signal(member: number, name: 'KILL' | 'STOP' | 'CONT'): Promise<void>
  /** Restarts a killed member with its files. */
  restart(member: number): Promise<void>
  /** Resolves with the number of the leader. */
  leader(): Promise<number>
  /** Calls the JSON gateway of the first member that responds. */
  call(method: string, body: object): Promise<Readonly<Record<string, unknown>>>
}

export interface EtcdOptions {
  /** Default: 3. */
  readonly members?: number
  /** Time after which the container ends by itself, in case its test was killed. Default: 1,200 s. */
  readonly lifeSeconds?: number
  /** Files of the container, by path. */
  readonly files?: Readonly<Record<string, string>>
  /** Further arguments of each member. */
  readonly args?: readonly string[]
  /** Default: http. */
  readonly scheme?: 'http' | 'https'
}

const IMAGE = 'quay.io/coreos/etcd:v3.5.16'
const HOST = '127.0.0.1'
const LIFE_SECONDS = 1_200

/** Starts the cluster, or returns the reason why it is absent. */
export function startEtcd(options: EtcdOptions = {}): Promise<EtcdServers | Absent> {
  return inDocker(() => start(options))
}

async function start(options: EtcdOptions): Promise<EtcdServers> {
  const { members = 3, lifeSeconds = LIFE_SECONDS, files = {}, args = [], scheme = 'http' } = options
  const all = await freePorts(2 * members)
  const [clients, peers] = [all.slice(0, members), all.slice(members)]
  const cluster = peers.map((port, i) => `m${i}=http://${HOST}:${port}`).join(',')
  const lineOf = (i: number): string => {
    const flags = [
      `--name m${i} --data-dir /etcd-data/${i}`,
      `--listen-client-urls ${scheme}://${HOST}:${clients[i]} --advertise-client-urls ${scheme}://${HOST}:${clients[i]}`,
      `--listen-peer-urls http://${HOST}:${peers[i]} --initial-advertise-peer-urls http://${HOST}:${peers[i]}`,
      `--initial-cluster ${cluster}`,
      ...args,
    ]
    return `etcd ${flags.join(' ')} >/etcd-data/log-${i} 2>&1 & echo $! >/etcd-data/pid-${i}`
  }
  const boot = [...clients.map((_, i) => lineOf(i)), 'echo servers started', `exec sleep ${lifeSeconds}`].join('\n')
  const container = await new GenericContainer(IMAGE)
    .withUser('root')
    .withNetworkMode('host')
    .withTmpFs({ '/etcd-data': 'rw' })
    .withCopyContentToContainer(Object.entries(files).map(([target, content]) => ({ target, content, mode: 0o644 })))
    .withCommand(['sh', '-c', boot])
    .withWaitStrategy(Wait.forLogMessage('servers started'))
    .start()
  const shell = rootShell(container)

  async function ask(port: number, method: string, body: object): Promise<Readonly<Record<string, unknown>>> {
    const request = { method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(1_000) }
    const response = await fetch(`http://${HOST}:${port}/v3/${method}`, request)
    const answer = (await response.json()) as Readonly<Record<string, unknown>>
    if (!response.ok) throw new Error(`${method}: ${JSON.stringify(answer)}`)
    return answer
  }

  const servers: EtcdServers = {
    url: `etcd://${clients.map((port) => `${HOST}:${port}`).join(',')}`,
    ports: clients,
    signal: async (member, name) => void (await shell(`kill -${name} $(cat /etcd-data/pid-${member})`)),
    restart: async (member) => void (await shell(lineOf(member))),
    async leader() {
      for (const [i, port] of clients.entries()) {
        const status = await ask(port, 'maintenance/status', {}).catch(() => ({ header: {}, leader: undefined }))
        const { member_id: id } = status['header'] as { member_id?: string }
        if (id !== undefined && id === status['leader']) return i
      }
      throw new Error('no member is the leader')
    },
    async call(method, body) {
      for (const port of clients.slice(0, -1)) {
        const answer = await ask(port, method, body).catch(() => undefined)
        if (answer !== undefined) return answer
      }
      return ask(clients.at(-1) ?? 0, method, body)
    },
    [Symbol.asyncDispose]: async () => void (await container.stop({ timeout: 0 })),
  }
  if (scheme === 'http') {
    await untilTrue('a leader', async () => (await servers.leader()) >= 0, { withinMs: 30_000, everyMs: 100 })
  }
  return servers
}
