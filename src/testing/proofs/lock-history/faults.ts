/** All faults of a lock history, and the wait until its servers are healthy. */
import type { FaultInjection } from '../../../drill/faults/fault.ts'
import { parseRole, problemsOf } from '../../../redis/topology/roles.ts'
import { until } from '../../../std/until.ts'
import type { SentinelServers } from '../../redis/servers.ts'
import { sentinelFaults } from './sentinel-faults.ts'
import { type ServerFaultOptions, serverFaults } from './server-faults.ts'
import { workerFaults } from './worker-faults.ts'
import type { Workers } from './workers.ts'

export interface FaultParts extends ServerFaultOptions {
  readonly workers: Workers
}

const HEALTHY_MS = 60_000
const EVERY_MS = 250

/** Returns every fault of a lock history. */
export function faultsOf(parts: FaultParts): readonly FaultInjection[] {
  return [...serverFaults(parts), ...sentinelFaults(parts.servers), ...workerFaults(parts.workers)]
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
