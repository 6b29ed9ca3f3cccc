import { systemClock } from '../../../std/clock.ts'
import { startPeer } from '../../../testing/locks/processes.ts'
import { startMariadb } from '../../../testing/mysql/server.ts'
import type { Absent } from '../../../testing/present.ts'
import { lockContract, type Skip, type Subject } from '../../contract.ts'
import { connectMysqlLock } from './backend.ts'

const polls: readonly Skip[] = [
  'wakes a waiter when the key is released',
  'ends a wait when its signal aborts',
  'the next waiter passes a waiter that gave up',
  'keeps a released key for the first waiter',
  'serves waiters in order of arrival',
].map((test) => ({ test, reason: 'the server sends no notifications: waiters poll' }))

async function subject(): Promise<Subject | Absent> {
  const server = await startMariadb()
  if ('absent' in server) return server
  const backend = await connectMysqlLock(server.url, { clock: systemClock }, AbortSignal.timeout(10_000))
  return {
    backend,
    startPeer: () => startPeer(server.url),
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

lockContract('mysql, on MariaDB', subject, [
  ...polls,
  {
    test: 'returns one outcome per key in one exchange, in order',
    reason: 'one statement per key, because each is a transaction of its own',
  },
])
