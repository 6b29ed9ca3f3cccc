/** Redis with Sentinel, and all faults on it. */
import { parseInfo } from '../../../../redis/topology/info.ts'
import { parseRole, problemsOf } from '../../../../redis/topology/roles.ts'
import type { Scope } from '../../../../std/scope.ts'
import { until } from '../../../../std/until.ts'
import { needed } from '../../../present.ts'
import { type SentinelServers, startSentinel } from '../../../redis/servers.ts'
import { type FencesChoice, fencesUrlOf } from './fences.ts'
import { startProber } from './prober.ts'
import { serverFaults } from './redis-faults.ts'
import { sentinelFaults } from './sentinel-faults.ts'
import type { StartedService } from './service.ts'

/** Settings of Redis in a lock history. */
export interface RedisChoice {
  /** An image of Redis or Valkey (with a tag), or a redis-server on this machine. */
  readonly redis: string
  /** With `none`, the verdict must be violated. */
  readonly fences: FencesChoice
}

const HEALTHY_MS = 60_000
const EVERY_MS = 250
const TTL_MS = 1_000

/** Starts a primary, two replicas and three Sentinels. A container ends by itself after `lifeSeconds`. */
export async function startSentinelService(
  { redis, fences }: RedisChoice,
  lifeSeconds: number,
  scope: Scope,
): Promise<StartedService> {
  const place = redis.includes(':') ? { image: redis, lifeSeconds } : { program: redis }
  const servers = await needed(scope, 'Redis', startSentinel(place))
  return {
    version: await versionOf(servers),
    isProbed: true,
    async open(context) {
      const fencesUrl = await fencesUrlOf(fences, context)
      const prober = startProber({ ports: servers.ports, record: context.record })
      context.scope.defer(() => prober.stop())
      return {
        lockUrl: servers.url,
        fencesUrl,
        ttlMs: TTL_MS,
        faults: [...serverFaults({ servers, prober }), ...sentinelFaults(servers)],
        healthy: (signal) => untilHealthy(servers, signal),
        stop: () => prober.stop(),
      }
    },
  }
}

async function versionOf(servers: SentinelServers): Promise<string> {
  const info = parseInfo(await servers.cli(await servers.master(), 'info', 'server'))
  const valkey = info.get('valkey_version')
  return valkey === undefined ? `redis-${info.get('redis_version') ?? 'unknown'}` : `valkey-${valkey}`
}

/** Resolves when the Sentinels agree on one primary and all other servers replicate it. Rejects after a minute. */
export async function untilHealthy(servers: SentinelServers, signal: AbortSignal): Promise<void> {
  const { ports, sentinels } = servers
  await until(
    async () => {
      const roles = await Promise.all(
        ports.map(async (port) => parseRole(String(port), await servers.cli(port, 'info', 'replication'))),
      )
      const named = await Promise.all(sentinels.map(async (sentinel) => String(await servers.primaryBy(sentinel))))
      const spec = { mode: 'sentinel', pods: ports.length } as const
      const problems = problemsOf(
        spec,
        roles.flatMap((role) => role ?? []),
        named,
      )
      return problems.length === 0 ? { value: true } : { missing: problems.join('; ') }
    },
    { withinMs: HEALTHY_MS, everyMs: EVERY_MS, signal },
  )
}
