import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../std/clock.ts'
import { startPeer } from '../../../testing/locks/processes.ts'
import type { Absent } from '../../../testing/present.ts'
import { startIndependent } from '../../../testing/redis/servers.ts'
import { lockContract, type Skip, type Subject } from '../../contract.ts'
import { openSqliteFences } from '../../fencing/sqlite.ts'
import { connectRedlock } from './backend.ts'

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

const polls: readonly Skip[] = [
  'wakes a waiter when the key is released',
  'ends a wait when its signal aborts',
  'the next waiter passes a waiter that gave up',
  'keeps a released key for the first waiter',
  'serves waiters in order of arrival',
].map((test) => ({ test, reason: 'independent nodes have no common queue: waiters poll' }))

const single: Skip = {
  test: 'returns one outcome per key in one exchange, in order',
  reason: 'the package counts one vote at a time',
}

const unfenced: readonly Skip[] = [
  'raises the fence with every grant of a key',
  'raises the fence after a lease that expired',
  'raises the fence across processes',
].map((test) => ({ test, reason: 'without a fence store there are no fences' }))

async function plain(): Promise<Subject | Absent> {
  const servers = await startIndependent()
  if ('absent' in servers) return servers
  const backend = await connectRedlock(servers.url, { clock: systemClock }, soon())
  return {
    backend,
    startPeer: () => startPeer(servers.url),
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]()
      await servers[Symbol.asyncDispose]()
    },
  }
}

async function fenced(): Promise<Subject | Absent> {
  const servers = await startIndependent()
  if ('absent' in servers) return servers
  const folder = await mkdtemp(join(tmpdir(), 'ingot-redlock-'))
  const file = join(folder, 'fences.db')
  const fences = openSqliteFences(file)
  const backend = await connectRedlock(servers.url, { clock: systemClock, fences }, soon())
  return {
    backend,
    startPeer: () => startPeer(servers.url, `sqlite:${file}`),
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]()
      await fences[Symbol.asyncDispose]()
      await servers[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

lockContract('redlock, five nodes, no fence store', plain, [...polls, single, ...unfenced])
lockContract('redlock, five nodes, fences in sqlite', fenced, [...polls, single])
