import { systemClock } from '../../../std/clock.ts'
import { startEtcd } from '../../../testing/etcd/servers.ts'
import { startPeer } from '../../../testing/locks/processes.ts'
import type { Absent } from '../../../testing/present.ts'
import { lockContract, type Subject } from '../../contract.ts'
import { connectEtcdLock } from './backend.ts'

async function subject(): Promise<Subject | Absent> {
  const servers = await startEtcd()
  if ('absent' in servers) return servers
  const backend = await connectEtcdLock(servers.url, { clock: systemClock }, AbortSignal.timeout(10_000))
  return {
    backend,
    deadAfter: { shortMs: 1_000, lateMs: 3_000, reason: "etcd's leases have whole seconds, and at least two" },
    startPeer: () => startPeer(servers.url),
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]()
      await servers[Symbol.asyncDispose]()
    },
  }
}

lockContract('etcd, three members', subject, [
  {
    test: 'returns one outcome per key in one exchange, in order',
    reason: 'each key needs a lease of its own, so several keys are several exchanges',
  },
])
