/** Reads and commands Redis servers and Sentinels over the network, as the runner's pod does. */
import type { Pod } from '../../../kube/pods.ts'
import type { ClientSettings, Single } from '../../../redis/client.ts'
import { createSentinelProbe, createServerProbe, type Probe } from '../../../redis/probe.ts'
import type { Credentials } from '../../../redis/redis-url.ts'
import type { ServerRole } from '../../../redis/topology/roles.ts'
import { systemClock } from '../../../std/clock.ts'
import type { RedisCall, RedisView } from './view.ts'

export interface DirectViewOptions {
  readonly credentials: Credentials
  /** Certificate of the authority, PEM. Absent: no TLS. */
  readonly caPem?: string | undefined
  readonly isCluster: boolean
  /** Suffix of the names of pods, such as `.shop.svc.cluster.local`. */
  readonly domain: string
  readonly masterName: string
}

export interface DirectView extends RedisView, Disposable {}

const SETTINGS: ClientSettings = { commandTimeoutMs: 2_000, connectTimeoutMs: 1_500, connectionName: 'ingot-drill' }
const REDIS_PORT = 6_379
const SENTINEL_PORT = 26_379
const PROMOTION_MS = 30_000
const PROMOTION_EVERY_MS = 150

export function createDirectView(options: DirectViewOptions): DirectView {
  const servers = new Map<string, Promise<Probe<ServerRole>>>()
  const sentinels = new Map<string, ReturnType<typeof createSentinelProbe>>()

  function targetOf({ ip, host }: Pod, port: number): Single {
    const { credentials, caPem, domain } = options
    const endpoint = { host: caPem === undefined ? ip : `${host}${domain}`, port }
    return {
      endpoint,
      credentials,
      database: 0,
      ...(caPem === undefined ? {} : { tls: { caPem, servername: endpoint.host } }),
    }
  }

  /** A pod that restarts has another address, and its old connection never recovers. */
  const server = (pod: Pod): Promise<Probe<ServerRole>> =>
    kept(servers, `${pod.uid} ${pod.ip}`, () =>
      createServerProbe({ ...targetOf(pod, REDIS_PORT), pod: pod.name, isCluster: options.isCluster }, SETTINGS),
    )
  const sentinel = (pod: Pod) =>
    kept(sentinels, `${pod.uid} ${pod.ip}`, () =>
      createSentinelProbe(options.masterName, targetOf(pod, SENTINEL_PORT), SETTINGS),
    )

  async function roles(pods: readonly Pod[]): Promise<readonly ServerRole[]> {
    const polled = await Promise.all(pods.map(async (pod) => (await server(pod)).poll()))
    return polled.flatMap((one) => (one.kind === 'seen' ? one.value : []))
  }

  return {
    roles,
    async sentinelViews(pods) {
      const polled = await Promise.all(pods.map(async (pod) => (await sentinel(pod)).poll()))
      return polled.map((one) => (one.kind === 'seen' ? one.value.host : ''))
    },
    async command(pod, [name = '', ...words], call) {
      const probe = await server(pod)
      await probe.poll()
      return String(await within(probe.call(name, ...words), call))
    },
    async sentinelFailover() {
      throw new Error('the runner may not request a failover: start the drill from a shell')
    },
    async awaitPrimary(pods, { signal }) {
      const endMs = systemClock.monotonicMs() + PROMOTION_MS
      while (systemClock.monotonicMs() < endMs) {
        const primary = (await roles(pods)).find(({ role }) => role === 'primary')
        if (primary !== undefined) return primary.pod
        await systemClock.sleep(PROMOTION_EVERY_MS, signal)
      }
      throw new Error(`no replica became primary within ${PROMOTION_MS} ms`)
    },
    [Symbol.dispose]() {
      for (const probe of [...servers.values(), ...sentinels.values()]) {
        probe.then((one) => one[Symbol.dispose]()).catch(() => undefined)
      }
    },
  }
}

function kept<T>(all: Map<string, Promise<T>>, key: string, create: () => Promise<T>): Promise<T> {
  const known = all.get(key)
  if (known !== undefined) return known
  const fresh = create()
  all.set(key, fresh)
  return fresh
}

async function within<T>(work: Promise<T>, { signal, timeoutMs = 5_000 }: RedisCall): Promise<T> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(bounded.reason)
  bounded.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    bounded.removeEventListener('abort', abort)
  }
}
