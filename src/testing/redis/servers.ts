/** Starts Redis in every kind of deployment that ingot supports, for the duration of a test. */

import { untilTrue } from '../../std/until.ts'
import { inDocker } from '../containers.ts'
import type { Absent } from '../present.ts'
import { freePorts } from '../tcp/ports.ts'
import { type ContainerOptions, type RedisContainer, type ServerSpec, startContainer } from './container.ts'
import { findRedisPrograms, startProcesses } from './processes.ts'

export interface RedisServers extends RedisContainer {
  readonly url: string
  /** Ports of the servers with data, as started: primaries first. */
  readonly ports: readonly number[]
  /** Resolves with the port of the current primary: the one that Sentinel names, or the owner of the slot. */
  master(slot?: number): Promise<number>
}

/** A primary, replicas and Sentinels. */
export interface SentinelServers extends RedisServers {
  /** Ports of the Sentinels. `master` queries the first one. */
  readonly sentinels: readonly number[]
  /** Resolves with the port of the primary that this Sentinel names. */
  primaryBy(sentinel: number): Promise<number>
}

const HOST = '127.0.0.1'
const MASTER_NAME = 'ingot'

const FORM_MS = 30_000

const until = (what: string, check: () => Promise<boolean>) => untilTrue(what, check, { withinMs: FORM_MS })

async function ready(servers: RedisContainer, ports: readonly number[]): Promise<void> {
  await until('an answer to PING', async () => {
    for (const port of ports) if ((await servers.cli(port, 'ping')) !== 'PONG') return false
    return true
  })
}

const server = (port: number, config: readonly string[] = []): ServerSpec => ({ port, kind: 'server', config })

/** Ends the container if the rest of the start fails. */
async function guarded<T>(container: RedisContainer, finish: () => Promise<T>): Promise<T> {
  try {
    return await finish()
  } catch (error) {
    await container[Symbol.asyncDispose]()
    throw error
  }
}

export interface StandaloneOptions extends ContainerOptions {
  /** Lines of redis.conf. */
  readonly config?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** True if the port accepts only TLS; then redis-cli needs `cliArgs`. Default: false. */
  readonly tls?: boolean
}

export function startStandalone({
  config = [],
  env = {},
  tls = false,
  ...options
}: StandaloneOptions = {}): Promise<RedisServers | Absent> {
  return inDocker(async () => {
    const [port = 0] = await freePorts(1)
    const container = await startContainer([{ ...server(port, config), env, tls }], options)
    return guarded(container, async () => {
      await ready(container, [port])
      return { ...container, url: `redis://${HOST}:${port}`, ports: [port], master: async () => port }
    })
  })
}

/** A restart loses no acknowledged write, so Redlock counts the votes of such a server at once. */
export const DURABLE: readonly string[] = ['appendonly yes', 'appendfsync always']

/** Starts independent servers. `config` has lines of redis.conf. */
export function startIndependent(
  count = 5,
  config: readonly string[] = DURABLE,
  options: ContainerOptions = {},
): Promise<RedisServers | Absent> {
  return inDocker(async () => {
    const ports = await freePorts(count)
    const container = await startContainer(
      ports.map((port) => server(port, config)),
      options,
    )
    return guarded(container, async () => {
      await ready(container, ports)
      const url = `redlock://${ports.map((port) => `${HOST}:${port}`).join(',')}`
      return { ...container, url, ports, master: async () => ports[0] ?? 0 }
    })
  })
}

const sentinel = (port: number, primary: number): ServerSpec => ({
  port,
  kind: 'sentinel',
  config: [
    `sentinel monitor ${MASTER_NAME} ${HOST} ${primary} 2`,
    `sentinel down-after-milliseconds ${MASTER_NAME} 1000`,
    `sentinel failover-timeout ${MASTER_NAME} 3000`,
    `sentinel parallel-syncs ${MASTER_NAME} 1`,
  ],
})

export interface SentinelOptions extends ContainerOptions {
  /** Path of a redis-server to run as processes of this machine. Default: a container. */
  readonly program?: string
}

/** Starts three Sentinels, a primary and two replicas. A failover starts about two seconds after a primary is silent. */
export function startSentinel({ program, ...options }: SentinelOptions = {}): Promise<SentinelServers | Absent> {
  const start = async (): Promise<SentinelServers> => {
    const [primary = 0, ...others] = await freePorts(6)
    const replicas = others.slice(0, 2)
    const sentinels = others.slice(2)
    const follow = [`replicaof ${HOST} ${primary}`, 'repl-timeout 5']
    const specs = [
      server(primary, ['min-replicas-to-write 0']),
      ...replicas.map((port) => server(port, follow)),
      ...sentinels.map((port) => sentinel(port, primary)),
    ]
    const container =
      program === undefined ? await startContainer(specs, options) : await startProcesses(program, specs)
    return guarded(container, async () => {
      await until('two replicas and three Sentinels', async () => {
        const seen = await Promise.all(sentinels.map((port) => container.cli(port, 'info', 'sentinel')))
        return seen.every((info) => /status=ok,address=[\d.:]+,slaves=2,sentinels=3/.test(info))
      })
      await until('replicas in step', async () =>
        /slave0:.*state=online[\s\S]*slave1:.*state=online/.test(await container.cli(primary, 'info', 'replication')),
      )
      const primaryBy = async (port: number): Promise<number> => {
        const [, named] = (await container.cli(port, 'sentinel', 'get-master-addr-by-name', MASTER_NAME)).split('\n')
        return Number(named)
      }
      const url = `redis+sentinel://${sentinels.map((port) => `${HOST}:${port}`).join(',')}/${MASTER_NAME}`
      const current = (): Promise<number> => primaryBy(sentinels[0] ?? 0)
      return { ...container, url, ports: [primary, ...replicas], master: current, sentinels, primaryBy }
    })
  }
  return program === undefined ? inDocker(start) : start()
}

/** The default of `cluster-port`, which CLUSTER MEET assumes. */
const BUS_OFFSET = 10_000

const clusterNode = (port: number, bus: number): ServerSpec =>
  server(port, [
    'cluster-enabled yes',
    'cluster-config-file nodes.conf',
    'cluster-node-timeout 1500',
    `cluster-port ${bus}`,
    `cluster-announce-ip ${HOST}`,
    'repl-timeout 5',
    // a missing shard must not stop the others
    'cluster-require-full-coverage no',
  ])

/** Returns the port of the primary that serves the slot, according to this node. */
async function ownerOf(container: RedisContainer, via: number, slot: number): Promise<number> {
  const nodes = await container.cli(via, 'cluster', 'nodes')
  const lines = nodes.split('\n').filter((line) => /\bmaster\b/.test(line) && !/\bfail\b/.test(line))
  const owns = (line: string): boolean =>
    line
      .split(' ')
      .slice(8)
      .map((range) => range.split('-').map(Number))
      .some(([from = -1, to = from]) => from <= slot && slot <= to)
  const port = /:(\d+)@/.exec(lines.find(owns) ?? '')?.[1]
  if (port === undefined) throw new Error(`no primary serves slot ${slot}:\n${nodes}`)
  return Number(port)
}

/** Starts three primaries with a replica each. A failover starts about two seconds after a primary is silent. */
export function startCluster(): Promise<RedisServers | Absent> {
  return inDocker(async () => {
    const all = await freePorts(12)
    const ports = all.slice(0, 6)
    const container = await startContainer(ports.map((port, i) => clusterNode(port, all[i + 6] ?? 0)))
    return guarded(container, async () => {
      await ready(container, ports)
      const addresses = ports.map((port) => `${HOST}:${port}`)
      await container.exec('redis-cli', '--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes')
      await until('a whole cluster', async () => {
        const infos = await Promise.all(ports.map((port) => container.cli(port, 'cluster', 'info')))
        const links = await Promise.all(ports.slice(0, 3).map((port) => container.cli(port, 'info', 'replication')))
        return infos.every((i) => /cluster_state:ok/.test(i)) && links.every((l) => /slave0:.*state=online/.test(l))
      })
      const url = `redis+cluster://${addresses.slice(0, 3).join(',')}`
      const living = async (): Promise<number> => {
        for (const port of ports.toReversed()) {
          const pong = await container.exec('sh', '-c', `timeout 1 redis-cli -p ${port} ping || true`)
          if (pong === 'PONG') return port
        }
        throw new Error('no node responds')
      }
      return { ...container, url, ports, master: async (slot = 0) => ownerOf(container, await living(), slot) }
    })
  })
}

/** Starts servers in cluster mode that have not met: processes of this machine. `program` is a redis-server. */
export async function startUnformedCluster(count: number, program: string): Promise<RedisServers | Absent> {
  const found = await findRedisPrograms(program)
  if ('absent' in found) return found
  const ports = await freePorts(count, [BUS_OFFSET])
  const container = await startProcesses(
    program,
    ports.map((port) => clusterNode(port, port + BUS_OFFSET)),
  )
  return guarded(container, async () => {
    await ready(container, ports)
    const url = `redis+cluster://${ports.map((port) => `${HOST}:${port}`).join(',')}`
    return { ...container, url, ports, master: async (slot = 0) => ownerOf(container, ports[0] ?? 0, slot) }
  })
}
