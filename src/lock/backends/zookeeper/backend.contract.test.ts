import { systemClock } from '../../../std/clock.ts'
import { startPeer } from '../../../testing/locks/processes.ts'
import type { Absent } from '../../../testing/present.ts'
import { startZooKeeper } from '../../../testing/zookeeper/servers.ts'
import { lockContract, type Subject } from '../../contract.ts'
import { connectZooKeeperLock } from './backend.ts'

async function subject(): Promise<Subject | Absent> {
  const servers = await startZooKeeper()
  if ('absent' in servers) return servers
  const url = `${servers.url}?session=10s`
  const backend = await connectZooKeeperLock(url, { clock: systemClock }, AbortSignal.timeout(10_000))
  return {
    backend,
    deadAfter: { shortMs: 1_000, lateMs: 2_500, reason: 'a dead process keeps its keys until its session ends' },
    // its session, and so its leases, are shorter
    startPeer: () => startPeer(`${servers.url}?session=2s`),
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]()
      await servers[Symbol.asyncDispose]()
    },
  }
}

lockContract('zookeeper, three servers', subject)
