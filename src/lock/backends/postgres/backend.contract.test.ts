import { systemClock } from '../../../std/clock.ts'
import { startPeer } from '../../../testing/locks/processes.ts'
import { startPgBouncer } from '../../../testing/postgres/bouncer.ts'
import { startPostgres } from '../../../testing/postgres/server.ts'
import type { Absent } from '../../../testing/present.ts'
import { lockContract, type Subject } from '../../contract.ts'
import { connectPostgresLock } from './backend.ts'

async function subject(pooled: boolean): Promise<Subject | Absent> {
  const server = await startPostgres()
  if ('absent' in server) return server
  const bouncer = pooled ? await startPgBouncer(server.url) : undefined
  if (bouncer !== undefined && 'absent' in bouncer) return bouncer
  const url = bouncer?.through(server.url) ?? server.url
  const deps = { clock: systemClock, directUrl: server.url }
  const backend = await connectPostgresLock(url, deps, AbortSignal.timeout(10_000))
  return {
    backend,
    startPeer: () => startPeer(url),
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]()
      await bouncer?.[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

lockContract('postgres', () => subject(false))
lockContract('postgres through PgBouncer, with a direct URL', () => subject(true))
